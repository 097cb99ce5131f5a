# unit tests of sendmail
if HAVE_CMOCKA
check_PROGRAMS += test_sendmail
TESTS += test_sendmail
test_sendmail_SOURCES = tests/unit/test_sendmail.c src/sendmail/input.c src/sendmail/options.c \
	src/sendmail/recipients.c src/sendmail/xtext.c
test_sendmail_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
test_sendmail_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
endif
