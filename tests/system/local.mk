# tests/system: whole programs, driven by Python's unittest (harness.py). One line for each file.
SYSTEM_TESTS = \
	tests/system/test_harness.py \
	tests/system/test_tree.py \
	tests/system/test_main_job.py \
	tests/system/test_config.py \
	tests/system/test_completion.py \
	tests/system/test_oauth2.py \
	tests/system/test_limits.py \
	tests/system/test_log.py \
	tests/system/test_flusher.py \
	tests/system/test_time.py \
	tests/system/test_upgrade.py \
	tests/system/test_bad_input.py \
	tests/system/test_check.py \
	tests/system/test_import.py \
	tests/system/test_mistakes.py \
	tests/system/test_readme.py \
	tests/system/test_container.py \
	tests/system/test_golden.py \
	tests/system/test_relays.py \
	tests/system/test_routes.py \
	tests/system/test_drop.py \
	tests/system/test_incoming.py \
	tests/system/test_managed.py \
	tests/system/test_certificates.py \
	tests/system/test_demo.py \
	tests/system/test_dialogues.py \
	tests/system/test_secrets.py \
	tests/system/test_agent.py \
	tests/system/test_replies.py \
	tests/system/test_delivery.py \
	tests/system/test_login.py \
	tests/system/test_sendmail_callers.py \
	tests/system/test_sendmail_input.py \
	tests/system/test_sendmail_options.py \
	tests/system/test_sendmail_smtp.py

system_needs = $(sbin_PROGRAMS) $(bin_PROGRAMS) $(helper_PROGRAMS) $(noinst_PROGRAMS)
RUN_TESTS = cd $(abs_srcdir) && OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) $(PYTHON3) -B tests/run
PYTHON3 = /usr/bin/python3

# make check-system TESTFILES=tests/system/test_x.py runs one of them.
TESTFILES = $(SYSTEM_TESTS)
check-system: $(system_needs)
	$(RUN_TESTS) -j 2 --suite "$${OUTPOST_SUITE:-system}" $(TESTFILES)

CHECK_LOCAL += check-system
PHONY += check-system
EXTRA_DIST += tests/run tests/data tests/system/harness.py tests/system/deaf_files.py tests/system/machine.py tests/system/stepclock.c \
	tests/system/slowusers.c tests/system/strangedisk.c $(SYSTEM_TESTS)

# For whoever changes the code: what other eyes see. Needs cppcheck and clang-tidy; no part of make check.
lint_sources = $(srcdir)/src/*/*.c $(srcdir)/queue/*.c $(srcdir)/conf/*.c
lint: all
	-cppcheck -q --std=c11 --enable=warning,portability,performance --inline-suppr --suppress=missingInclude \
		-I$(srcdir)/src -I$(srcdir) -I. $(lint_sources)
	-clang-tidy --quiet --checks='-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
		$(lint_sources) -- -std=gnu11 -DHAVE_CONFIG_H $(DEFS) $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(GSASL_CFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
	$(srcdir)/tests/lengths
PHONY += lint
EXTRA_DIST += tests/lengths
# Stands in for outpostd: drives one agent over its frames.
noinst_PROGRAMS += agentdrive judgereplies
agentdrive_SOURCES = tests/system/agentdrive.c
agentdrive_LDADD = libdelivery.a libbase.a $(SECCOMP_LIBS)

# What the agent makes of replies, a line each.
judgereplies_SOURCES = tests/system/judgereplies.c
judgereplies_LDADD = libsmtp.a libbase.a

# The screens of outpost at 80 columns: a folder, and all that is in it.
EXTRA_DIST += tests/system/golden
