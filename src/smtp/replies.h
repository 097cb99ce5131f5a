/*
 * replies.h: what a relay's reply means: whom it is about, and so what becomes of the mail. The table is replies.def.
 * Pure.
 */
#ifndef SMTP_REPLIES_H
#define SMTP_REPLIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "smtp/reply.h"

/* The command that a reply answers. */
enum reply_stage {
	STAGE_GREETING = 1,
	STAGE_HELO = 2,		/* EHLO, HELO */
	STAGE_STARTTLS = 4,
	STAGE_LOGIN = 8,	/* AUTH */
	STAGE_MAIL = 16,
	STAGE_RCPT = 32,
	STAGE_DATA = 64,	/* DATA, BDAT, the end of data */
};

/* The reason of a 4xx or 5xx reply to a command of this stage; REASON_NONE for other replies. */
enum reason reply_reason(const struct reply *r, enum reply_stage stage, bool logged_in);

/* Whether the recipients that this reply answers fail at once. Everything else waits: 4xx, and all that is not about
 * the message or the recipient, whatever the relay calls it. */
bool reply_fails(const struct reply *r, enum reason why);

/* "try again in 5 minutes": seconds, at most a day; 0 when nothing is said. */
uint32_t reply_seconds(const struct reply *r);

#endif
