# unit tests of base
if HAVE_CMOCKA
check_PROGRAMS += test_base
TESTS += test_base
test_base_SOURCES = tests/unit/test_base.c
test_base_LDADD = libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)
test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
endif
