/*
 * envelope.h: the MAIL and RCPT lines of a message, and whether this relay can take it at all.
 */
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include "base/buf.h"
#include "delivery/delivery.h"
#include "smtp/ehlo.h"
#include "smtp/link.h"

/* 0: it can go; 1: not known before its header is here; -1: *v says for all recipients why not (its dsn begins
 * with 5). peer is "h[a]". */
int envelope_check(const struct message *m, const struct ehlo *e, const char *peer, struct delivery_verdict *v);
/* The same for one recipient. */
int envelope_check_recipient(const struct delivery_recipient *r, const struct ehlo *e, const char *peer,
			     struct delivery_verdict *v);

/* Lines with CR LF. wire_size: exact, or 0 (then it is estimated). */
void envelope_mail(struct buf *out, const struct message *m, const struct ehlo *e, size_t wire_size);
void envelope_plain_mail(struct buf *out, const char *sender, const struct ehlo *e);	/* without parameters */
void envelope_rcpt(struct buf *out, const struct delivery_recipient *r, const struct ehlo *e);

/* Whether the message has to be made 7-bit for this relay. */
bool envelope_recodes(const struct message *m, const struct ehlo *e);
/* What is said of one that has no 7-bit form. */
void envelope_unencodable(struct delivery_verdict *v, const char *peer);

#endif
