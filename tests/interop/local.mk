# tests/interop: real servers as the relay, unpacked from their packages below the build directory, never installed.
INTEROP_TESTS =

check-interop: $(system_needs)
	OUTPOST_SUITE=$${OUTPOST_SUITE:-interop}; export OUTPOST_SUITE; \
	$(RUN_TESTS) -j 2 --suite $$OUTPOST_SUITE $(INTEROP_TESTS)
PHONY += check-interop
EXTRA_DIST += $(INTEROP_TESTS) tests/install
