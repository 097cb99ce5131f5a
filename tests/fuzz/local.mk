# tests/fuzz: entries for libFuzzer, each of one file, tests/fuzz/fuzz_X.c, which defines LLVMFuzzerTestOneInput, with at
# least one file in tests/fuzz/corpus/X. One line for each, here and nowhere else. `make check` replays the corpus with
# fixed variations; `make check-fuzz` builds everything once more with clang and lets each entry run for FUZZ_SECONDS.
FUZZERS = \
	tests/fuzz/fuzz_address \
	tests/fuzz/fuzz_base \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_control \
	tests/fuzz/fuzz_ehlo \
	tests/fuzz/fuzz_envelope \
	tests/fuzz/fuzz_frames \
	tests/fuzz/fuzz_header \
	tests/fuzz/fuzz_input \
	tests/fuzz/fuzz_reply \
	tests/fuzz/fuzz_session \
	tests/fuzz/fuzz_smtpd \
	tests/fuzz/fuzz_submission \
	tests/fuzz/fuzz_wire
FUZZ_MAIN = libreplay.a
FUZZ_SECONDS = 60
check_LIBRARIES += libreplay.a
libreplay_a_SOURCES = tests/fuzz/replay.c

# What they link is in tests/unit/local.mk.
$(FUZZERS): LDADD = $(FUZZ_MAIN) $(TEST_LIBS)
$(FUZZERS): $(FUZZ_MAIN) $(TEST_ROOMS)

check_PROGRAMS += $(FUZZERS)
TESTS += $(FUZZERS)
EXTRA_DIST += tests/fuzz/corpus

# libFuzzer brings its own main, and it comes first: the one in $(FUZZ_MAIN) is not taken then.
FUZZ_BUILD = fuzz-build
FUZZ_CFLAGS = -g -O1 -fsanitize=fuzzer-no-link

$(FUZZ_BUILD)/Makefile: $(top_srcdir)/configure
	$(MKDIR_P) $(FUZZ_BUILD)
	cd $(FUZZ_BUILD) && $(abs_top_srcdir)/configure --enable-asan CC=clang \
		CFLAGS="$(FUZZ_CFLAGS)" >configure.out

check-fuzz: $(FUZZ_BUILD)/Makefile
	$(MAKE) -C $(FUZZ_BUILD) LDFLAGS=-fsanitize=fuzzer $(FUZZERS)
	@for f in $(notdir $(FUZZERS)); do \
		x=$${f#fuzz_}; $(MKDIR_P) $(FUZZ_BUILD)/corpus/$$x $(FUZZ_BUILD)/findings/$$x; \
		echo "$$f: $(FUZZ_SECONDS) s"; \
		$(FUZZ_BUILD)/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_BUILD)/findings/$$x/ $(FUZZ_BUILD)/corpus/$$x \
			$(top_srcdir)/tests/fuzz/corpus/$$x >$(FUZZ_BUILD)/$$f.log 2>&1 || \
			{ tail -40 $(FUZZ_BUILD)/$$f.log; exit 1; }; \
		grep -E '^stat::(number_of_executed_units|average_exec_per_sec|new_units_added)' $(FUZZ_BUILD)/$$f.log; \
	done

clean-fuzz:
	rm -rf $(FUZZ_BUILD)

PHONY += check-fuzz clean-fuzz
