# tests/relay: the project's own relay, and a maker of throw-away certificates.
noinst_PROGRAMS += relay
relay_SOURCES = \
	tests/relay/relay.c tests/relay/relay.h \
	tests/relay/flags.c \
	tests/relay/pipe.c tests/relay/pipe.h \
	tests/relay/conn.c \
	tests/relay/flood.c \
	tests/relay/smtp.c \
	tests/relay/message.c \
	tests/relay/auth.c \
	tests/relay/counters.c \
	tests/relay/dialogue.c tests/relay/dialogue.h
relay_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(GSASL_CFLAGS)
relay_LDADD = libbase.a $(GNUTLS_LIBS) $(GSASL_LIBS)

noinst_PROGRAMS += mkcert
mkcert_SOURCES = tests/relay/mkcert.c
mkcert_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
mkcert_LDADD = libbase.a $(GNUTLS_LIBS)

EXTRA_DIST += tests/relay/demo tests/relay/README.md tests/relay/dialogues
