# src/maps: lookup tables. No processes, no secrets: what sendmail may link.
noinst_LIBRARIES += libmaps.a
libmaps_a_SOURCES = \
	src/maps/maps.c src/maps/maps.h \
	src/maps/regexp_table.c src/maps/regexp_table.h \
	src/maps/text_table.c src/maps/text_table.h
