# tests/interop: real servers as the relay, unpacked from their packages below the build directory, never installed.
INTEROP_TESTS = $(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/tests/interop/test_*.py))

check-interop: $(system_needs)
	OUTPOST_SUITE=$${OUTPOST_SUITE:-interop}; export OUTPOST_SUITE; \
	$(RUN_TESTS) -j 2 --suite "$$OUTPOST_SUITE" $(INTEROP_TESTS)
PHONY += check-interop
EXTRA_DIST += $(INTEROP_TESTS) tests/install tests/interop/servers.py tests/interop/exchange.py \
	tests/interop/aiosmtpd_server.py tests/interop/smtp_server.js

# Other projects' test data; needs a network, keeps nothing.
EXTRA_PROGRAMS = addresses
addresses_SOURCES = tests/interop/addresses.c
addresses_LDADD = libmail.a libbase.a $(SECCOMP_LIBS)
check-public-data: addresses
	OUTPOST_BUILD=$(abs_builddir) $(PYTHON3) -B $(srcdir)/tests/interop/public_data.py
PHONY += check-public-data
EXTRA_DIST += tests/interop/public_data.py
CLEANFILES += addresses
