# unit tests of submission
if HAVE_CMOCKA
check_PROGRAMS += test_submission
TESTS += test_submission
test_submission_SOURCES = tests/unit/test_submission.c
test_submission_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_submission_LDADD = libsubmission.a libbase.a $(CMOCKA_LIBS)
endif
