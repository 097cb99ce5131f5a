# fuzzing entries of conf
FUZZERS += fuzz_conf
fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
fuzz_conf_LDADD = libconf.a $(FUZZ_MAIN) libbase.a $(SECCOMP_LIBS)
