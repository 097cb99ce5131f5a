# tests/system: whole programs, driven by Python's unittest (harness.py). One line for each file.
SYSTEM_TESTS = \
	tests/system/test_harness.py \
	tests/system/test_tree.py \
	tests/system/test_main_job.py

system_needs = $(sbin_PROGRAMS) $(bin_PROGRAMS) $(helper_PROGRAMS) $(noinst_PROGRAMS)
RUN_TESTS = cd $(abs_srcdir) && OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) $(PYTHON3) -B tests/run
PYTHON3 = /usr/bin/python3

# make check-system TESTFILES=tests/system/test_x.py runs one of them.
TESTFILES = $(SYSTEM_TESTS)
check-system: $(system_needs)
	$(RUN_TESTS) -j 2 --suite $${OUTPOST_SUITE:-system} $(TESTFILES)

CHECK_LOCAL += check-system
PHONY += check-system
EXTRA_DIST += tests/run tests/system/harness.py $(SYSTEM_TESTS)
