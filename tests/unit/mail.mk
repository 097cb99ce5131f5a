# unit tests of mail
if HAVE_CMOCKA
mail_tests = test_address test_header test_rewrite test_wire test_dsn
check_PROGRAMS += $(mail_tests)
TESTS += $(mail_tests)
mail_test_libs = libmail.a libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)
test_address_SOURCES = tests/unit/test_address.c
test_address_LDADD = $(mail_test_libs)
test_address_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_header_SOURCES = tests/unit/test_header.c
test_header_LDADD = $(mail_test_libs)
test_header_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_rewrite_SOURCES = tests/unit/test_rewrite.c tests/unit/failing_malloc.h
test_rewrite_LDADD = $(mail_test_libs)
test_rewrite_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_wire_SOURCES = tests/unit/test_wire.c
test_wire_LDADD = $(mail_test_libs)
test_wire_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_dsn_SOURCES = tests/unit/test_dsn.c
test_dsn_LDADD = $(mail_test_libs)
test_dsn_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
endif
