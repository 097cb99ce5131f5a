# tests/bench: figures, each a ratio within one run. Rooms add their bench_*.py to BENCHES, and programs to
# bench_programs. make bench OUTPOST_PEERS=all measures Postfix, Exim, nullmailer and dma beside (root, apt-get).
BENCHES = \
	tests/bench/bench_submit.py \
	tests/bench/bench_sendmail.py \
	tests/bench/bench_deliver.py \
	tests/bench/bench_million.py \
	tests/bench/bench_tls.py \
	tests/bench/bench_fairness.py
bench_programs = spawn yardstick blast fill

# Built by make check as well, so that they go on compiling.
check_PROGRAMS += $(bench_programs)
spawn_SOURCES = tests/bench/spawn.c
yardstick_SOURCES = tests/bench/yardstick.c
blast_SOURCES = tests/bench/blast.c
blast_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
blast_LDADD = $(GNUTLS_LIBS)
fill_SOURCES = tests/bench/fill.c
fill_LDADD = libqueue.a libbase.a $(SQLITE_LIBS)

bench: $(system_needs) $(bench_programs)
	@rm -f bench.json; cd $(abs_srcdir) && status=0; for b in $(BENCHES); do \
		echo "== $$b"; \
		OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) OUTPOST_PEERS="$(OUTPOST_PEERS)" \
		OUTPOST_BENCH_RESULTS=$(abs_builddir)/bench.json $(PYTHON3) -B $$b || status=1; \
	done; exit $$status

# This build beside an older one, in turns: make bench-pair OLD_BUILD=/path/of/its/build
bench-pair: $(system_needs) $(bench_programs)
	cd $(abs_srcdir) && OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) OLD_BUILD="$(OLD_BUILD)" \
		$(PYTHON3) -B tests/bench/bench_pair.py

# Another user's sendmail beside the worst that somebody without rights can do; root.
bench-fairness: $(system_needs)
	cd $(abs_srcdir) && OUTPOST_BUILD=$(abs_builddir) OUTPOST_SRC=$(abs_srcdir) $(PYTHON3) -B tests/bench/bench_fairness.py
PHONY += bench bench-pair bench-fairness
CLEANFILES += bench.json
EXTRA_DIST += $(BENCHES) tests/bench/bench_pair.py tests/bench/bench.py tests/bench/peers.py
