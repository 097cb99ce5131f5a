# unit tests of smtp
if HAVE_CMOCKA
check_PROGRAMS += test_smtp
TESTS += test_smtp
test_smtp_SOURCES = tests/unit/test_smtp.c tests/unit/failing_malloc.h
test_smtp_LDADD = $(SMTP_LIBS) $(CMOCKA_LIBS)
test_smtp_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
endif
