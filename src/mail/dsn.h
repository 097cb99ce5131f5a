/*
 * dsn.h: delivery status notifications (RFC 3462, 3464, 3461): bounces, delay warnings, success reports. Pure text; the
 * original message is streamed by the caller between head and tail.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum dsn_action {
	DSN_ACTION_FAILED = 1,
	DSN_ACTION_DELAYED,
	DSN_ACTION_DELIVERED,
	DSN_ACTION_RELAYED,
	DSN_ACTION_EXPANDED
};

struct dsn_recipient {
	const char *address;		/* final */
	const char *original;		/* as submitted */
	const char *orcpt;		/* NULL: none */
	const char *dsn;		/* "5.1.1" */
	const char *text;		/* the relay's words */
	const char *relay;		/* "host[ip]:port", NULL: none */
	int64_t last_attempt;		/* us */
};

struct dsn_report {
	enum dsn_action action;
	const char *queue_id;		/* of the message that is spoken of */
	const char *to;			/* whom it goes to: the envelope sender */
	const char *reporter;		/* myhostname */
	const char *from_address;	/* full From address, "MAILER-DAEMON@origin" */
	const char *envid;		/* NULL: none */
	int64_t arrival, now, expires;	/* us; expires for warnings */
	const struct dsn_recipient *recipients;
	size_t nrecipients;
	bool full;			/* the whole original follows (RET=FULL), else its header alone */
	bool utf8;			/* addresses hold non-ASCII: RFC 6533 types */
	const char *boundary;		/* caller's random word, letters and digits */
};

/* Everything up to where the original (header, or whole) goes, and what follows it. Canonical LF form.
 * *header_size: how much of head is the notification's own header. */
int dsn_head(const struct dsn_report *r, struct buf *head, uint32_t *header_size);
int dsn_tail(const struct dsn_report *r, struct buf *tail);

#endif
