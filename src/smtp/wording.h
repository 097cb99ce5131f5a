/*
 * wording.h: what the words of a reply speak of, where the codes alone don't tell. One table for all who ask. Pure.
 */
#ifndef SMTP_WORDING_H
#define SMTP_WORDING_H

#include <stdbool.h>

#include "smtp/reply.h"

enum wording {
	WORDS_FAST = 1,		/* the relay is busy, or we are too fast; with 5xx it says nothing of the kind */
	/* a limit of the account is used up, or it may send no more: providers say so with 4xx and with 5xx */
	WORDS_SPENT = 2,
	WORDS_MAILBOX = 4,	/* somebody's mailbox */
	WORDS_GREYLIST = 8,
	WORDS_LOGIN = 16,	/* one has to log in */
	WORDS_CONNECTION = 32,	/* this connection has served long enough */
	WORDS_RECIPIENTS = 64,	/* too many in one transaction */
	WORDS_ERRORS = 256,	/* refusals of this connection were too many */
	WORDS_ADDRESS = 128,	/* a sender or recipient is refused, nobody else */
	WORDS_ACCOUNT = 512,	/* an account is closed: ours, or in answer to RCPT the recipient's */
};

enum { WORDING_TEXT = 4096 };

/* The beginning of the reply without the addresses in it: what users choose ("throttle@example.com") says nothing of
 * the relay. */
void wording_text(const struct reply *r, char out[WORDING_TEXT]);

/* Whether any word of these kinds (or-ed) stands in that, without regard to case. */
bool wording_says(const struct reply *r, unsigned kinds);

#endif
