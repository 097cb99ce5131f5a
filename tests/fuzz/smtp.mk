# fuzzing entries of smtp
FUZZERS += fuzz_reply fuzz_ehlo fuzz_session
fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c
fuzz_reply_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
fuzz_reply_LDADD = libsmtp.a $(FUZZ_MAIN) $(SMTP_LIBS)
fuzz_ehlo_SOURCES = tests/fuzz/fuzz_ehlo.c
fuzz_ehlo_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
fuzz_ehlo_LDADD = libsmtp.a $(FUZZ_MAIN) $(SMTP_LIBS)
fuzz_session_SOURCES = tests/fuzz/fuzz_session.c
fuzz_session_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
fuzz_session_LDADD = libsmtp.a $(FUZZ_MAIN) $(SMTP_LIBS)
