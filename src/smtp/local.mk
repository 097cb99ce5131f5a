# src/smtp: the delivery agent. TLS, SASL and the relay's bytes are here and nowhere else.
helper_PROGRAMS += outpost-smtp
# What unit tests and fuzzers use as well: everything but main.
noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/agent.c src/smtp/agent.h \
	src/smtp/answer.c \
	src/smtp/certificate.c src/smtp/certificate.h \
	src/smtp/channel.c src/smtp/channel.h \
	src/smtp/dial.c \
	src/smtp/ehlo.c src/smtp/ehlo.h \
	src/smtp/envelope.c src/smtp/envelope.h \
	src/smtp/link.c src/smtp/link.h \
	src/smtp/mechanism.c src/smtp/mechanism.h \
	src/smtp/replies.c src/smtp/replies.h src/smtp/replies.def \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/resolve.c src/smtp/resolve.h \
	src/smtp/sandboxing.c \
	src/smtp/sasl.c \
	src/smtp/session.c src/smtp/session.h \
	src/smtp/tls.c src/smtp/tls.h \
	src/smtp/transaction.c src/smtp/transaction.h \
	src/smtp/transfer.c \
	src/smtp/verdict.c src/smtp/verdict.h \
	src/smtp/window.c src/smtp/window.h
libsmtp_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(GSASL_CFLAGS) $(IDN2_CFLAGS)

SMTP_LIBS = libsmtp.a libmail.a libdelivery.a libbase.a \
	$(GNUTLS_LIBS) $(GSASL_LIBS) $(IDN2_LIBS) $(SECCOMP_LIBS) -lresolv
outpost_smtp_SOURCES = src/smtp/main.c
outpost_smtp_LDADD = $(SMTP_LIBS)
outpost_smtp_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
