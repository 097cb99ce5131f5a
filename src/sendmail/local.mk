# src/sendmail: sendmail, mailq, newaliases. Neither SQLite nor TLS.
# Installed beside the other helpers; packaging/install gives it its names, and never over somebody else's.
helper_PROGRAMS += sendmail
sendmail_SOURCES = \
	src/sendmail/main.c \
	src/sendmail/options.c src/sendmail/options.h \
	src/sendmail/find_queue.c src/sendmail/find_queue.h \
	src/sendmail/caller.c src/sendmail/caller.h \
	src/sendmail/input.c src/sendmail/input.h \
	src/sendmail/recipients.c src/sendmail/recipients.h \
	src/sendmail/compose.c src/sendmail/compose.h \
	src/sendmail/submit.c src/sendmail/submit.h \
	src/sendmail/smtpd.c src/sendmail/smtpd.h \
	src/sendmail/queue_modes.c src/sendmail/other_modes.c src/sendmail/verify.c src/sendmail/modes.h \
	src/sendmail/xtext.c src/sendmail/xtext.h
sendmail_LDADD = librules.a libmail.a libsubmission.a libcontrol.a libconf.a libmaps.a libbase.a
dist_man_MANS += man/sendmail.8 man/mailq.1 man/newaliases.1
EXTRA_DIST += VIOLATIONS.md
