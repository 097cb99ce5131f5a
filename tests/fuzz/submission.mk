# fuzzing entries of submission
FUZZERS += fuzz_submission
fuzz_submission_SOURCES = tests/fuzz/fuzz_submission.c
fuzz_submission_LDADD = libsubmission.a $(FUZZ_MAIN) libbase.a
