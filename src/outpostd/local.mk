# src/outpostd: the flusher.
sbin_PROGRAMS += outpostd
outpostd_SOURCES = \
	src/outpostd/outpostd.h \
	src/outpostd/main.c \
	src/outpostd/loop.c \
	src/outpostd/log_lines.c \
	src/outpostd/intake/accept.c \
	src/outpostd/intake/door.c \
	src/outpostd/intake/fd_quarantine.c \
	src/outpostd/intake/incoming.c \
	src/outpostd/intake/smtp_listener.c \
	src/outpostd/relays/pause.c \
	src/outpostd/relays/rate.c \
	src/outpostd/relays/route.c \
	src/outpostd/relays/state.c \
	src/outpostd/dispatch/agent_credential.c \
	src/outpostd/dispatch/agent_feed.c \
	src/outpostd/dispatch/agent_process.c \
	src/outpostd/dispatch/bounce.c \
	src/outpostd/dispatch/claim.c \
	src/outpostd/dispatch/commit.c \
	src/outpostd/dispatch/inflight_journal.c \
	src/outpostd/dispatch/schedule.c \
	src/outpostd/dispatch/settle.c \
	src/outpostd/admin/flush.c \
	src/outpostd/admin/questions.c src/outpostd/admin/questions.h \
	src/outpostd/host/clock.c \
	src/outpostd/host/confine.c \
	src/outpostd/host/disk_reserve.c \
	src/outpostd/host/housekeeping.c \
	src/outpostd/host/reload.c \
	src/outpostd/host/service_manager.c \
	src/outpostd/host/user_lookup.c
outpostd_LDADD = librules.a $(CREDENTIAL_LIBS) libqueue.a libmail.a libdelivery.a libcontrol.a libsubmission.a libbase.a \
	$(SQLITE_LIBS) $(NETTLE_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS)
