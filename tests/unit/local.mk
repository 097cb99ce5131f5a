# tests/unit: programs of cmocka, each of one file, tests/unit/test_X.c. One line for each, here and nowhere else.
UNIT_TESTS = \
	tests/unit/test_address \
	tests/unit/test_base \
	tests/unit/test_certificate \
	tests/unit/test_channel \
	tests/unit/test_conf_edit \
	tests/unit/test_conf_load \
	tests/unit/test_conf_values \
	tests/unit/test_control \
	tests/unit/test_credentials \
	tests/unit/test_delivery_frames \
	tests/unit/test_dsn \
	tests/unit/test_ehlo \
	tests/unit/test_envelope \
	tests/unit/test_header \
	tests/unit/test_loop \
	tests/unit/test_maps \
	tests/unit/test_mechanism \
	tests/unit/test_outpost \
	tests/unit/test_queue_claim \
	tests/unit/test_queue_clock_correction \
	tests/unit/test_queue_delete_old \
	tests/unit/test_queue_hold_delete \
	tests/unit/test_queue_list \
	tests/unit/test_queue_migrate \
	tests/unit/test_queue_open \
	tests/unit/test_queue_plan \
	tests/unit/test_queue_put \
	tests/unit/test_queue_relay_row \
	tests/unit/test_queue_settle \
	tests/unit/test_relayhost \
	tests/unit/test_reply \
	tests/unit/test_resolve \
	tests/unit/test_rewrite \
	tests/unit/test_sendmail \
	tests/unit/test_submission \
	tests/unit/test_tls_policy \
	tests/unit/test_trust \
	tests/unit/test_verdict \
	tests/unit/test_window \
	tests/unit/test_wire

# The programs as libraries. Each has a member main.o, which is not linked: a test has its own main.
check_LIBRARIES += libsendmail.a libdrop.a liboutpostd.a liboutpost.a
libsendmail_a_SOURCES = $(sendmail_SOURCES)
libdrop_a_SOURCES = $(outpost_drop_SOURCES)
liboutpostd_a_SOURCES = $(outpostd_SOURCES)
liboutpost_a_SOURCES = $(outpost_SOURCES)

# A unit test or a fuzzer may use every room and every program but outpost-token: the linker takes what it needs.
# The list of rights is the programs', not theirs.
TEST_ROOMS = libsendmail.a libdrop.a liboutpostd.a liboutpost.a $(noinst_LIBRARIES)
TEST_LIBS = -Wl,--start-group $(TEST_ROOMS) -Wl,--end-group -Wl,--as-needed $(SQLITE_LIBS) $(GNUTLS_LIBS) $(NETTLE_LIBS) \
	$(GSASL_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS) -lresolv

tests/unit/%.$(OBJEXT) tests/fuzz/%.$(OBJEXT): AM_CPPFLAGS += $(CMOCKA_CFLAGS) $(GNUTLS_CFLAGS) $(SQLITE_CFLAGS)
$(UNIT_TESTS): LDADD = $(TEST_LIBS) $(CMOCKA_LIBS)
$(UNIT_TESTS): $(TEST_ROOMS)

if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
EXTRA_DIST += $(wildcard $(srcdir)/tests/unit/*.h $(srcdir)/tests/unit/*.inc)
