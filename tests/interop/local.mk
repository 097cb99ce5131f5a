# tests/interop: real servers as the relay, unpacked from their packages below the build directory, never installed.
INTEROP_TESTS = \
	tests/interop/test_postfix.py \
	tests/interop/test_exim.py \
	tests/interop/test_dovecot.py \
	tests/interop/test_aiosmtpd.py \
	tests/interop/test_smtp_server.py \
	tests/interop/test_callers.py \
	tests/interop/test_readers.py

check-interop: $(system_needs)
	OUTPOST_SUITE=$${OUTPOST_SUITE:-interop}; export OUTPOST_SUITE; \
	$(RUN_TESTS) -j 2 --suite "$$OUTPOST_SUITE" $(INTEROP_TESTS)
PHONY += check-interop
EXTRA_DIST += $(INTEROP_TESTS) tests/install tests/interop/servers.py tests/interop/exchange.py \
	tests/interop/aiosmtpd_server.py tests/interop/smtp_server.js
