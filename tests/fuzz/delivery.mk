# fuzzing entries of delivery and control
FUZZERS += fuzz_frames
fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.c
fuzz_frames_LDADD = libdelivery.a libcontrol.a $(FUZZ_MAIN) libbase.a
