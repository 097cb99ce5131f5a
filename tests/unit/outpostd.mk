# tests/unit: outpostd
if HAVE_CMOCKA
check_PROGRAMS += test_loop
TESTS += test_loop
test_loop_SOURCES = tests/unit/test_loop.c src/outpostd/loop.c
test_loop_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_loop_LDADD = libbase.a $(CMOCKA_LIBS) $(SECCOMP_LIBS)
endif
