/*
 * verdict.h: what becomes of a recipient, with status code and words from birth, so that log, mailq, bounce
 * and status say the same.
 */
#ifndef SMTP_VERDICT_H
#define SMTP_VERDICT_H

#include "smtp/agent.h"

/* From a->reply to WHAT ("RCPT TO command"): 2xx is sent; for the others replies.h says what becomes of the
 * recipient. */
void verdict_of_reply(const struct agent *a, enum reply_stage stage, const char *what, struct delivery_verdict *v);

/* Without a reply; the class of the reason's DSN code says what becomes of it. */
void verdict_of_words(struct delivery_verdict *v, enum reason why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
