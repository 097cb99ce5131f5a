# src/outpostd: the flusher.
sbin_PROGRAMS += outpostd
outpostd_SOURCES = \
	src/outpostd/outpostd.h src/outpostd/parts.h \
	src/outpostd/main.c \
	src/outpostd/loop.c src/outpostd/loop.h \
	src/outpostd/log_lines.c src/outpostd/log_lines.h \
	src/outpostd/intake/intake.h \
	src/outpostd/intake/accept.c \
	src/outpostd/intake/clients.c \
	src/outpostd/intake/corrupt.c \
	src/outpostd/intake/door.c \
	src/outpostd/intake/fd_quarantine.c \
	src/outpostd/intake/incoming.c \
	src/outpostd/intake/disk_share.c \
	src/outpostd/intake/smtp_listener.c \
	src/outpostd/intake/submissions.c \
	src/outpostd/dispatch/dispatch.h \
	src/outpostd/dispatch/agents/agent_credential.c \
	src/outpostd/dispatch/agents/agent_feed.c \
	src/outpostd/dispatch/agents/agent_frames.c \
	src/outpostd/dispatch/agents/agent_process.c \
	src/outpostd/dispatch/bounce.c \
	src/outpostd/dispatch/claim.c \
	src/outpostd/dispatch/commit.c \
	src/outpostd/dispatch/message_lifetime.c \
	src/outpostd/dispatch/inflight_journal.c \
	src/outpostd/dispatch/schedule.c \
	src/outpostd/dispatch/settle.c \
	src/outpostd/dispatch/user_lanes.c \
	src/outpostd/relays/relays.h \
	src/outpostd/relays/connections.c \
	src/outpostd/relays/route.c \
	src/outpostd/relays/session_end.c \
	src/outpostd/relays/state.c \
	src/outpostd/admin/admin.h \
	src/outpostd/admin/flush.c \
	src/outpostd/admin/mailq_question.c \
	src/outpostd/admin/orders.c \
	src/outpostd/admin/questions.c \
	src/outpostd/admin/queue_run.c \
	src/outpostd/host/this_host.h \
	src/outpostd/host/clock.c \
	src/outpostd/host/confine.c \
	src/outpostd/host/disk_reserve.c \
	src/outpostd/host/housekeeping.c \
	src/outpostd/host/list_reader.c \
	src/outpostd/host/reload.c \
	src/outpostd/host/service_manager.c \
	src/outpostd/host/shutdown.c \
	src/outpostd/host/user_lookup.c
outpostd_LDADD = librules.a $(CREDENTIAL_LIBS) libqueue.a libmail.a libdelivery.a libcontrol.a libsubmission.a libbase.a \
	$(SQLITE_LIBS) $(NETTLE_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS)
