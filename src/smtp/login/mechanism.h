/*
 * mechanism.h: which SASL mechanism to use: our own short table, in order of preference. Pure.
 */
#ifndef SMTP_MECHANISM_H
#define SMTP_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>

/* What Postfix's security options speak of. */
enum { MECH_PLAINTEXT = 1, MECH_ACTIVE = 2, MECH_DICTIONARY = 4, MECH_ONESIDED = 8 };

struct mechanism {
	const char *name;
	unsigned weak;		/* MECH_*: what it is open to */
	bool first;		/* the client speaks first: an initial response may stand in the AUTH line */
	bool binding;		/* -PLUS */
	char secret;		/* 'P' password, 'T' token, 'C' client certificate */
	bool by_hand;		/* not libgsasl's */
	bool prepares;		/* user name and password have to pass SASLprep (RFC 4013) */
};

struct mechanism_question {
	const char *offered;	/* upper case, blank between */
	/* smtp_sasl_mechanism_filter: names, "!name" excludes, "static:x" is any, first match counts; empty: all */
	const char *filter;
	/* smtp_sasl_security_options or ..._tls_...: noplaintext noactive nodictionary mutual_auth noanonymous */
	const char *options;
	const char *refused;	/* mechanisms that the relay turned out not to do, blank between */
	char secret;		/* 'P', 'T', or 0: not known yet */
	bool certificate;	/* a client certificate was given */
	bool can_bind;		/* over TLS, with channel binding */
	bool unprepared;	/* user name or password can't be prepared */
};

/* The best one, or NULL; then `why` says of each mechanism offered what excluded it. */
const struct mechanism *mechanism_choose(const struct mechanism_question *q, char *why, size_t size);

#endif
