# tests/system: whole programs, driven by Python's unittest (harness.py). A file test_X.py is found by its name.
SYSTEM_TESTS = $(SLOWEST_TESTS) $(filter-out $(SLOWEST_TESTS), \
	$(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/tests/system/test_*.py)))
# They begin first, so that at the end none is left alone.
SLOWEST_TESTS = tests/system/test_time.py tests/system/test_mistakes.py tests/system/test_door.py tests/system/test_incoming.py

system_needs = $(sbin_PROGRAMS) $(bin_PROGRAMS) $(helper_PROGRAMS) $(noinst_PROGRAMS)
RUN_TESTS = cd $(abs_srcdir) && OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) $(PYTHON3) -B tests/run
PYTHON3 = /usr/bin/python3

# So many files at once: on two cores too, since most tests wait more than they work.
TEST_JOBS = 4

# make check-system TESTFILES=tests/system/test_x.py runs one of them.
TESTFILES = $(SYSTEM_TESTS)
check-system: $(system_needs)
	$(RUN_TESTS) -j $(TEST_JOBS) --suite "$${OUTPOST_SUITE:-system}" $(TESTFILES)

CHECK_LOCAL += check-system
PHONY += check-system
# With the screens (golden) and what some tests compile.
EXTRA_DIST += tests/run tests/data tests/system/golden $(wildcard $(srcdir)/tests/system/*.py $(srcdir)/tests/system/*.c)

# For whoever changes the code: what other eyes see. Needs cppcheck and clang-tidy; no part of make check.
lint_sources = $(shell find $(srcdir)/src $(srcdir)/queue $(srcdir)/conf -name '*.c')
lint: all
	-cppcheck -q --std=c11 --enable=warning,portability,performance --inline-suppr --suppress=missingInclude \
		-I$(srcdir)/src -I$(srcdir) -I. $(lint_sources)
	-clang-tidy --quiet --checks='-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
		$(lint_sources) -- -std=gnu11 -DHAVE_CONFIG_H $(DEFS) $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(GSASL_CFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
	$(srcdir)/tests/lengths
PHONY += lint
EXTRA_DIST += tests/lengths

# Which room includes which; test_tree.py looks for the same.
includes:
	$(PYTHON3) -B $(srcdir)/tests/system/includes.py $(srcdir)
PHONY += includes

# Stands in for outpostd: drives one agent over its frames.
noinst_PROGRAMS += agentdrive judgereplies
agentdrive_SOURCES = tests/system/agentdrive.c
agentdrive_LDADD = libdelivery.a libbase.a $(SECCOMP_LIBS)

# What the agent makes of replies, a line each.
judgereplies_SOURCES = tests/system/judgereplies.c
judgereplies_LDADD = libsmtp.a libbase.a
