/*
 * verdict.h: what becomes of a recipient, with status code and words from birth, so that log, mailq, bounce
 * and status say the same.
 */
#ifndef SMTP_VERDICT_H
#define SMTP_VERDICT_H

#include "smtp/agent.h"
#include "smtp/slowdown.h"

/* From a->reply to WHAT ("RCPT TO command"): 2xx sent, 4xx deferred, 5xx failed, but for those that speak of us: our
 * login, our account's limits. */
void verdict_of_reply(const struct agent *a, enum slowdown_stage stage, const char *what, struct delivery_verdict *v);

/* Without a reply; the class of dsn says what becomes of it. */
void verdict_of_words(struct delivery_verdict *v, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Replies that speak of us, not of the message, whatever they answer: 530 534 535 538, and 550 5.7.30. */
bool verdict_is_login(const struct reply *r);
/* Those, and what many relays say with 550, or 503, to one who has not logged in: main.cf can be mended, a bounce
 * can't. */
bool verdict_wants_login(const struct agent *a);

#endif
