# tests/fault: what a crash, or a call that fails, may do to a message. For a build with --enable-fault.
FAULT_TESTS = $(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/tests/fault/test_*.py))

check-fault: $(system_needs)
	OUTPOST_SUITE=$${OUTPOST_SUITE:-fault}; export OUTPOST_SUITE; \
	$(RUN_TESTS) -j 2 --suite "$$OUTPOST_SUITE" $(FAULT_TESTS)

# The same, long: hours. One of them: make soak FAULT_TESTS=tests/fault/test_disk.py
soak: $(system_needs)
	OUTPOST_SOAK=1; export OUTPOST_SOAK; \
	$(RUN_TESTS) -j 1 --limit 36000 --suite soak $(FAULT_TESTS)
PHONY += check-fault soak
EXTRA_DIST += $(FAULT_TESTS) tests/fault/failnth.c
