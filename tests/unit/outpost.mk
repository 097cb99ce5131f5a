# unit tests of outpost: what it says, without a queue.
if HAVE_CMOCKA
check_PROGRAMS += test_outpost
TESTS += test_outpost
test_outpost_SOURCES = tests/unit/test_outpost.c src/outpost/explain.c src/outpost/words.c
test_outpost_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_outpost_LDADD = libbase.a $(CMOCKA_LIBS)
endif
