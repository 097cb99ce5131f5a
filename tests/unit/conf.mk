# unit tests of conf
if HAVE_CMOCKA
check_PROGRAMS += test_conf
TESTS += test_conf
test_conf_SOURCES = tests/unit/test_conf.c tests/unit/tutorials.inc
test_conf_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(GNUTLS_CFLAGS)
test_conf_LDADD = libconf.a libbase.a $(CMOCKA_LIBS) $(GNUTLS_LIBS) $(SECCOMP_LIBS)
endif
