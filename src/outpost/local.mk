# src/outpost: the administrator's command, one file per subcommand.
outpost_files = \
	src/outpost/command.h src/outpost/commands.def src/outpost/main.c \
	src/outpost/context.c src/outpost/words.c \
	src/outpost/start.h src/outpost/start.c \
	src/outpost/report.h src/outpost/report.c src/outpost/explain.h src/outpost/explain.c \
	src/outpost/check.h src/outpost/check.c src/outpost/check_conf.c src/outpost/check_live.c \
	src/outpost/status.c src/outpost/queue.c src/outpost/flush.c
EXTRA_DIST += src/outpost/commands.def
noinst_LIBRARIES += liboutpost.a
liboutpost_a_SOURCES = $(outpost_files)
