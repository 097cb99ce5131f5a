# src/smtp: the delivery agent. TLS, SASL and the relay's bytes are here and nowhere else.
helper_PROGRAMS += outpost-smtp
# What unit tests and fuzzers use as well: everything but main.
noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/agent.c src/smtp/agent.h \
	src/smtp/transaction/answer.c \
	src/smtp/connection/certificate.c src/smtp/connection/certificate.h \
	src/smtp/connection/channel.c src/smtp/connection/channel.h \
	src/smtp/connection/dial.c \
	src/smtp/ehlo.c src/smtp/ehlo.h \
	src/smtp/transaction/envelope.c src/smtp/transaction/envelope.h \
	src/smtp/link.c src/smtp/link.h \
	src/smtp/login/mechanism.c src/smtp/login/mechanism.h \
	src/smtp/replies.c src/smtp/replies.h src/smtp/replies.def \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/connection/resolve.c src/smtp/connection/resolve.h \
	src/smtp/agent_sandbox.c \
	src/smtp/login/sasl.c \
	src/smtp/session.c src/smtp/session.h \
	src/smtp/connection/tls.c src/smtp/connection/tls.h \
	src/smtp/transaction/transaction.c src/smtp/transaction/transaction.h \
	src/smtp/transaction/transfer.c \
	src/smtp/transaction/verdict.c src/smtp/transaction/verdict.h \
	src/smtp/transaction/window.c src/smtp/transaction/window.h
libsmtp_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(GSASL_CFLAGS) $(IDN2_CFLAGS)

SMTP_LIBS = libsmtp.a libmail.a libdelivery.a libbase.a \
	$(GNUTLS_LIBS) $(GSASL_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS) -lresolv
outpost_smtp_SOURCES = src/smtp/main.c
outpost_smtp_LDADD = $(SMTP_LIBS)
outpost_smtp_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
