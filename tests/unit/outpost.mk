# unit tests of outpost: what it says, without a queue.
if HAVE_CMOCKA
check_PROGRAMS += test_outpost
TESTS += test_outpost
test_outpost_SOURCES = tests/unit/test_outpost.c src/outpost/check/explain.c src/outpost/term/terminal.c
test_outpost_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_outpost_LDADD = libbase.a $(CMOCKA_LIBS)
endif
