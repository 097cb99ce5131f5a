# tests/fault: what a crash, or a call that fails, may do to a message. For a build with --enable-fault.
FAULT_TESTS =

check-fault: $(system_needs)
	OUTPOST_SUITE=$${OUTPOST_SUITE:-fault}; export OUTPOST_SUITE; \
	$(RUN_TESTS) -j 2 --suite $$OUTPOST_SUITE $(FAULT_TESTS)
PHONY += check-fault
EXTRA_DIST += $(FAULT_TESTS)
