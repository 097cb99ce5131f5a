# unit tests of queue
if HAVE_CMOCKA
check_PROGRAMS += test_queue
TESTS += test_queue
test_queue_SOURCES = tests/unit/test_queue.c tests/unit/queue_v1.inc
test_queue_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
test_queue_LDADD = libqueue.a libbase.a $(SQLITE_LIBS) $(CMOCKA_LIBS)
endif
