/*
 * window.h: how many whole transactions may be unanswered. Pure bookkeeping.
 *
 * Only where PIPELINING and CHUNKING are offered, and only after the relay proved that it swallows the chunk of a
 * refused BDAT: otherwise a refusal would make it read mail as commands.
 */
#ifndef SMTP_WINDOW_H
#define SMTP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "delivery/delivery.h"

enum {
	WINDOW_START = 4,		/* where an earlier session knows no better */
	WINDOW_BYTES = 256 << 10,	/* in flight at most */
	WINDOW_TIRED = 4,		/* refusals in a row after which the session is left */
	WINDOW_BACKLOG = 3,		/* messages waiting that make the proof worth its round trip */
};

enum window_proof { PROOF_UNKNOWN, PROOF_ASKED, PROOF_YES, PROOF_NO };

struct window {
	unsigned max, size;
	enum window_proof proof;
	unsigned clean;		/* accepted since the size changed */
	unsigned accepted;	/* on this connection */
	unsigned refused;	/* in a row */
};

/* able: PIPELINING and CHUNKING. k: what an earlier session found. */
void window_init(struct window *w, unsigned max, bool able, const struct delivery_known *k);

/* Whether the proof is due: something was accepted, and enough waits. */
bool window_wants_proof(const struct window *w, unsigned waiting);
/* Whether one more transaction of so many bytes may follow n unanswered ones of so many. The first of a connection
 * is never in flight: from it is learnt how this relay's replies look. */
bool window_open(const struct window *w, unsigned n, size_t bytes, size_t more);

void window_accepted(struct window *w);
void window_refused(struct window *w);
void window_halve(struct window *w);	/* the relay said 421 */
bool window_tired(const struct window *w);

#endif
