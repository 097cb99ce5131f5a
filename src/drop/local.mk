# src/drop: the small set-id writer. Links only libc, base and submission; installed 6711 by the install rules.
helper_PROGRAMS += outpost-drop
outpost_drop_SOURCES = src/drop/main.c src/drop/drop.h src/drop/slot.c src/drop/rights.c src/drop/receive.c \
	src/drop/start_flusher.c
outpost_drop_LDADD = libsubmission.a libbase.a
