# src/outpost: the administrator's command, one file per subcommand.
outpost_files = \
	src/outpost/command.h src/outpost/commands.def src/outpost/main.c \
	src/outpost/active.h src/outpost/active.c src/outpost/context.c src/outpost/words.c \
	src/outpost/edit.h src/outpost/edit.c \
	src/outpost/events.h src/outpost/events.c \
	src/outpost/explain.h src/outpost/explain.c \
	src/outpost/letter.h src/outpost/letter.c src/outpost/maker.h src/outpost/maker.c \
	src/outpost/postfix.h src/outpost/postfix.c src/outpost/postmap.c src/outpost/postsuper.c \
	src/outpost/report.h src/outpost/report.c \
	src/outpost/row.h src/outpost/row.c \
	src/outpost/select.h src/outpost/select.c \
	src/outpost/state.h src/outpost/state.c \
	src/outpost/start.h src/outpost/start.c \
	src/outpost/check.h src/outpost/check.c src/outpost/check_conf.c src/outpost/check_live.c src/outpost/check_root.c \
	src/outpost/complete.c src/outpost/config.c src/outpost/delete.c src/outpost/export.c src/outpost/flush.c src/outpost/hold.c src/outpost/log.c src/outpost/login.c \
	src/outpost/metrics.c src/outpost/queue.c \
	src/outpost/release.c src/outpost/retry.c src/outpost/salvage.c src/outpost/diff.h src/outpost/diff.c src/outpost/import.h src/outpost/import.c src/outpost/import_postfix.c \
	src/outpost/import_dma.c src/outpost/import_msmtp.c src/outpost/import_simple.c src/outpost/show.c src/outpost/status.c \
	src/outpost/test.c

sbin_PROGRAMS += outpost
outpost_SOURCES = $(outpost_files)
outpost_LDADD = libnexthop.a librules.a libcontrol.a libdelivery.a libsubmission.a libmail.a libqueue.a libconf.a libbase.a $(SQLITE_LIBS)
