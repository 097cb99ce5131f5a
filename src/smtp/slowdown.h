/*
 * slowdown.h: which replies mean "you are too fast", and how long the relay wants to be left alone. Pure.
 */
#ifndef SMTP_SLOWDOWN_H
#define SMTP_SLOWDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/reply.h"

enum slowdown_stage {
	SLOWDOWN_SESSION,	/* greeting to AUTH */
	SLOWDOWN_MESSAGE,	/* MAIL, DATA, BDAT, the end of data */
	SLOWDOWN_RECIPIENT,	/* RCPT: 4.7.x may well be greylisting of this one */
};

/* 421 and 432 always; 450 451 452 454 with an enhanced status 4.7.x, or in providers' wordings; slowdown_limit. Not
 * where it is the recipient's mailbox that gets too much, or one address that is refused. */
bool slowdown_asked(const struct reply *r, enum slowdown_stage stage);

/* 550 to 554 whose words say that the account's own limit is used up ("550 5.4.5 Daily user sending limit exceeded"),
 * or that the account is closed: the relay does not want more now, and no message fails for it. */
bool slowdown_limit(const struct reply *r, enum slowdown_stage stage);

/* "try again in 5 minutes": seconds, at most a day; 0 when nothing is said. */
uint32_t slowdown_seconds(const struct reply *r);

#endif
