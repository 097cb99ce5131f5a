/*
 * agent.h: one agent: its session's settings, its connection, its link to outpostd, and the one place
 * where it waits.
 */
#ifndef SMTP_AGENT_H
#define SMTP_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/deadline.h"
#include "delivery/delivery.h"
#include "smtp/connection/channel.h"
#include "smtp/connection/tls.h"
#include "smtp/ehlo.h"
#include "smtp/link.h"
#include "smtp/replies.h"
#include "smtp/reply.h"

struct agent {
	struct delivery_session set;
	struct link link;
	struct channel ch;
	struct trust trust;
	struct peer_certificate cert;	/* what the relay showed, and what was wrong with it */
	uint16_t hello_version;		/* of TLS, as the relay's hello has it: 0x0302 is TLS 1.1; 0: no hello */
	struct ehlo ehlo;
	struct reply reply;		/* the last reply */
	struct delivery_ready ready;
	struct delivery_down down;	/* why there is no session; REASON_NONE: not down */
	int64_t started_us;		/* when the first connection was tried */
	int64_t connect_us;		/* what is still to be told of c in delays=a/b/c/d */
	bool authenticated;
	bool shut_in;			/* the sandbox is closed */
	/* when outpostd is to hear of us again; 0: not before the names are looked up */
	deadline sign;
};

/* Waits until something came from the relay or from outpostd, or the socket took bytes, or the deadline.
 * Frames to outpostd go first, and what is on the way to the relay only after they left: outpostd
 * knows of a last byte before the relay does. 1: something happened; 0: deadline; -1: outpostd is gone
 * (a->down says so). The end of the relay's side is told by ch.eof. */
int agent_wait(struct agent *a, deadline until);

/* Says that we are alive if it is time, and returns when it is time again: for whoever waits elsewhere. */
deadline agent_sign(struct agent *a);

/* reply_take, of what has come. */
int agent_take_reply(struct agent *a);
/* Reads one reply into a->reply. 0, or -1 with a->down filled: lost, timed out, nonsense; `what` says in
 * Postfix's words what was going on ("performing the EHLO handshake"). A refusal is a reply. */
int agent_reply(struct agent *a, int seconds, const char *what);

/* Sends a line (CR LF is added) and reads its reply. shown is what a transcript has for it; NULL: the line. */
int agent_ask(struct agent *a, const char *line, const char *shown, int seconds, const char *what);

/* Fills a->down unless it is filled. Returns -1. */
int agent_down(struct agent *a, enum reason why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same for a refusal that stands in a->reply, for the reason that replies.h finds in it:
 * "host h[a] said: ... (in reply to WHAT)". */
int agent_refused(struct agent *a, enum reply_stage stage, const char *what);
/* These words alone. */
void agent_say_refusal(const struct agent *a, const char *what, char *out, size_t size);

/* Its connection ended while `what`. Returns -1. */
int agent_lost(struct agent *a, const char *what);

/* "h[a]", static until the next call. */
const char *agent_peer(const struct agent *a);

void agent_transcript(struct agent *a, char direction, const char *p, size_t n);

#endif
