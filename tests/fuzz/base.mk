# fuzzing entries of base
FUZZERS += fuzz_base
fuzz_base_SOURCES = tests/fuzz/fuzz_base.c
fuzz_base_LDADD = $(FUZZ_MAIN) libbase.a
