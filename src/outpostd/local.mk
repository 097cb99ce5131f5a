# src/outpostd: the flusher.
sbin_PROGRAMS += outpostd
outpostd_SOURCES = \
	src/outpostd/outpostd.h src/outpostd/ask.h \
	src/outpostd/main.c src/outpostd/loop.c src/outpostd/commit.c \
	src/outpostd/door.c src/outpostd/hatch.c src/outpostd/body.c src/outpostd/accept.c src/outpostd/user.c src/outpostd/listener.c src/outpostd/incoming.c \
	src/outpostd/ask.c src/outpostd/admin.c \
	src/outpostd/schedule.c src/outpostd/claim.c src/outpostd/secret.c src/outpostd/route.c src/outpostd/relay.c src/outpostd/pause.c src/outpostd/agent.c src/outpostd/budget.c src/outpostd/letter.c \
	src/outpostd/settle.c src/outpostd/bounce.c src/outpostd/events.c src/outpostd/journal.c src/outpostd/reserve.c src/outpostd/confine.c \
	src/outpostd/reload.c src/outpostd/clock.c src/outpostd/notify.c src/outpostd/upkeep.c
outpostd_LDADD = libnexthop.a librules.a libqueue.a libconf.a libmail.a libdelivery.a libcontrol.a libsubmission.a libbase.a \
	$(SQLITE_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS)
