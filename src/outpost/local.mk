# src/outpost: the administrator's command. cmd_NAME.c is one subcommand; what they share is in the folders.
outpost_files = \
	src/outpost/command.h src/outpost/commands.def src/outpost/main.c src/outpost/context.c src/outpost/options.c \
	src/outpost/cmd_change.c src/outpost/cmd_check.c src/outpost/cmd_config.c \
	src/outpost/cmd_export.c src/outpost/cmd_flush.c src/outpost/cmd_import.c \
	src/outpost/cmd_log.c src/outpost/cmd_login.c src/outpost/cmd_metrics.c src/outpost/cmd_queue.c \
	src/outpost/cmd_show.c \
	src/outpost/cmd_status.c src/outpost/cmd_test.c \
	src/outpost/check/check.h src/outpost/check/check_configuration.c src/outpost/check/check_relay.c \
	src/outpost/check/check_root_mail.c \
	src/outpost/check/check_report.h src/outpost/check/check_report.c \
	src/outpost/check/print_hint.h src/outpost/check/print_hint.c \
	src/outpost/flusher/health.h src/outpost/flusher/health.c \
	src/outpost/messages/active_deliveries.h src/outpost/messages/active_deliveries.c \
	src/outpost/flusher/start_outpostd.h src/outpost/flusher/start_outpostd.c \
	src/outpost/import/import.h src/outpost/import/import_common.c src/outpost/import/import_dma.c \
	src/outpost/import/import_msmtp.c src/outpost/import/import_nullmailer.c src/outpost/import/import_postfix.c \
	src/outpost/import/import_ssmtp.c \
	src/outpost/messages/change_messages.h src/outpost/messages/change_messages.c \
	src/outpost/messages/print_history.h src/outpost/messages/print_history.c \
	src/outpost/messages/print_row.h src/outpost/messages/print_row.c \
	src/outpost/messages/print_text.h src/outpost/messages/print_text.c \
	src/outpost/messages/select_messages.h src/outpost/messages/select_messages.c \
	src/outpost/postfix/postfix_names.h src/outpost/postfix/postfix_names.c src/outpost/postfix/postmap.c \
	src/outpost/postfix/postsuper.c \
	src/outpost/term/diff.h src/outpost/term/diff.c src/outpost/term/terminal.c

sbin_PROGRAMS += outpost
outpost_SOURCES = $(outpost_files)
outpost_LDADD = librules.a $(CREDENTIAL_LIBS) libcontrol.a libdelivery.a libsubmission.a libmail.a libqueue.a libbase.a $(SQLITE_LIBS) $(NETTLE_LIBS)
