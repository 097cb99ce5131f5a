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
EXTRA_DIST += tests/run tests/system/harness.py tests/system/deaf_files.py tests/system/machine.py tests/data/mistakes.json tests/system/stepclock.c tests/system/slowusers.c tests/system/strangedisk.c tests/data/callers.json $(SYSTEM_TESTS)

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
noinst_PROGRAMS += agentdrive
agentdrive_SOURCES = tests/system/agentdrive.c
agentdrive_LDADD = libdelivery.a libbase.a $(SECCOMP_LIBS)

# The screens of outpost at 80 columns.
GOLDEN = \
	tests/system/golden/check-down tests/system/golden/check-mistakes tests/system/golden/check-no-ca \
	tests/system/golden/check-no-main-cf tests/system/golden/check-untrusted tests/system/golden/check-well \
	tests/system/golden/check-wrong-password tests/system/golden/config-changed \
	tests/system/golden/config-misspelt tests/system/golden/config-one tests/system/golden/delete-all \
	tests/system/golden/delete-gone tests/system/golden/delete-what tests/system/golden/export \
	tests/system/golden/flush-deferred tests/system/golden/flush-down tests/system/golden/flush-sent \
	tests/system/golden/help tests/system/golden/help-check tests/system/golden/help-config \
	tests/system/golden/help-delete tests/system/golden/help-export tests/system/golden/help-flush \
	tests/system/golden/help-hold tests/system/golden/help-import tests/system/golden/help-log \
	tests/system/golden/help-login tests/system/golden/help-metrics tests/system/golden/help-queue \
	tests/system/golden/help-release tests/system/golden/help-retry \
	tests/system/golden/help-show \
	tests/system/golden/help-status tests/system/golden/help-test tests/system/golden/hold \
	tests/system/golden/hold-all tests/system/golden/import-shown tests/system/golden/log \
	tests/system/golden/log-json tests/system/golden/login-no-oauth2 tests/system/golden/metrics \
	tests/system/golden/no-command tests/system/golden/no-main-cf tests/system/golden/no-such-command \
	tests/system/golden/no-such-option tests/system/golden/postconf-M tests/system/golden/postmap \
	tests/system/golden/postqueue-p tests/system/golden/postsuper-s tests/system/golden/queue-age-what \
	tests/system/golden/queue-empty tests/system/golden/queue-held tests/system/golden/queue-some \
	tests/system/golden/queue-sort-what tests/system/golden/queue-waits tests/system/golden/release-all \
	tests/system/golden/retry-one tests/system/golden/show tests/system/golden/show-json \
	tests/system/golden/show-nothing tests/system/golden/status-down tests/system/golden/status-json \
	tests/system/golden/status-new tests/system/golden/status-some tests/system/golden/terminal-check \
	tests/system/golden/terminal-delete tests/system/golden/terminal-flush \
	tests/system/golden/terminal-queue tests/system/golden/test-no-address tests/system/golden/test-refused \
	tests/system/golden/test-sent tests/system/golden/test-wrong-password
EXTRA_DIST += $(GOLDEN)
