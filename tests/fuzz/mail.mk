# fuzzing entries of mail, and of sendmail
FUZZERS += fuzz_address fuzz_header fuzz_wire fuzz_envelope fuzz_input fuzz_smtpd
fuzz_address_SOURCES = tests/fuzz/fuzz_address.c
fuzz_address_LDADD = libmail.a $(FUZZ_MAIN) libbase.a
fuzz_header_SOURCES = tests/fuzz/fuzz_header.c
fuzz_header_LDADD = libmail.a $(FUZZ_MAIN) libbase.a
fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c
fuzz_wire_LDADD = libmail.a $(FUZZ_MAIN) libbase.a
fuzz_envelope_SOURCES = tests/fuzz/fuzz_envelope.c
fuzz_envelope_LDADD = libmail.a $(FUZZ_MAIN) libbase.a
fuzz_input_SOURCES = tests/fuzz/fuzz_input.c src/sendmail/input.c src/sendmail/spool.c
fuzz_input_LDADD = libmail.a $(FUZZ_MAIN) libbase.a
fuzz_smtpd_SOURCES = tests/fuzz/fuzz_smtpd.c src/sendmail/smtpd.c src/sendmail/input.c src/sendmail/spool.c \
	src/sendmail/compose.c src/sendmail/recipients.c src/sendmail/caller.c src/sendmail/find_queue.c src/sendmail/xtext.c
fuzz_smtpd_LDADD = libmail.a libconf.a $(FUZZ_MAIN) libbase.a
