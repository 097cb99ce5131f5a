# fuzzing entries of control
FUZZERS += fuzz_control
fuzz_control_SOURCES = tests/fuzz/fuzz_control.c
fuzz_control_LDADD = libcontrol.a $(FUZZ_MAIN) libbase.a
