/*
 * dialogue.h: files that make the relay misbehave. The format is described in README.md beside this file.
 */
#ifndef RELAY_DIALOGUE_H
#define RELAY_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"

/* What may happen on a connection; the names are those of README.md. */
#define EVENT_LIST(X) \
	X(accept) X(tls) X(secured) X(greeting) X(ehlo) X(helo) X(starttls) X(auth) X(authline) X(mail) X(rcpt) \
	X(data) X(body) X(bdat) X(eod) X(rset) X(noop) X(vrfy) X(quit) X(unknown)

enum event {
#define X(name) EV_##name,
	EVENT_LIST(X)
#undef X
	EVENTS
};

enum action {
	ACT_REPLY,	/* lines; the first one's class decides whether the command takes effect */
	ACT_SEND,	/* raw bytes, n times */
	ACT_BELOW,	/* raw bytes below TLS */
	ACT_NORMAL,	/* what would have happened without the rule */
	ACT_ACCEPT,	/* its effect, without a reply */
	ACT_REFUSE,	/* as after a refusal, without a reply */
	ACT_WAIT,	/* milliseconds */
	ACT_TRICKLE,	/* from here on one byte of text per TLS record and n ms */
	ACT_DRIP,	/* from here on one byte below TLS at a time, n ms apart */
	ACT_FLUSH,	/* what was said so far goes out now, as a segment of its own */
	ACT_CLOSE,	/* an orderly end */
	ACT_CUT,	/* an end without close_notify */
	ACT_RESET,	/* RST */
	ACT_STALL,	/* never answer again */
	ACT_DEAF,	/* stop reading the socket */
	ACT_DISCARD,	/* forget what the client has sent behind this command */
	ACT_GARBAGE,	/* n bytes of noise */
	ACT_ALERT,	/* a fatal TLS alert n */
	ACT_REHANDSHAKE,/* ask for renegotiation (TLS 1.2) or a key update (1.3) */
	ACT_TICKETS,	/* session tickets (TLS 1.3) for ever, and nothing else */
	ACT_CHUNK_IS_TEXT, /* the chunk of this BDAT will be read as commands */
};

struct step {
	enum action act;
	uint64_t n;
	char *bytes;	/* owned */
	size_t len;
};

struct range {
	uint64_t from, to;	/* 0, 0: any */
};

struct rule {
	enum event event;
	struct range nth, conn, msg, total;
	uint64_t every, bytes;
	char *arg;		/* part of the line, without regard to case; NULL: any */
	int tls, authed, nested, port;	/* -1: any */
	struct step *steps;
	size_t nsteps;
	unsigned line;
	unsigned used;
};

struct dialogue {
	struct rule *rules;
	size_t nrules;
	uint64_t totals[EVENTS];
};

/* What is known when an event happens. */
struct moment {
	enum event event;
	uint64_t nth, conn, msg, bytes;
	struct span line;
	bool tls, authed, nested;
	int port;
};

/* A rule that is being carried out. */
struct script {
	const struct rule *rule;	/* NULL: none */
	size_t next;			/* its next step */
	bool answered;			/* the command has taken effect, or was refused */
	struct span verb, arg;		/* the command (copied in `line`) */
	struct buf line;
	enum event event;
};

int dialogue_load(const char *path, struct dialogue *d, struct error *err);
const struct rule *dialogue_match(struct dialogue *d, const struct moment *m);
bool dialogue_wants(const struct dialogue *d, enum event e);

#endif
