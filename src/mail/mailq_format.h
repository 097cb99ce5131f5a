/*
 * mailq_format.h: mailq's layout, as Postfix's showq prints it (postqueue(1)), and the JSON of postqueue -j with our
 * additions. Pure text: rows in, bytes out. Used by outpostd (mailq through the door) and by outpost.
 */
#ifndef MAIL_LISTING_H
#define MAIL_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"

struct listing_recipient {
	const char *address;
	const char *original;
	const char *reason;	/* in words; NULL: none */
	enum reason why;	/* REASON_NONE: none */
	const char *dsn;	/* NULL: none */
	char state;		/* q h f s */
	unsigned attempts;
	int64_t next_attempt;	/* us */
};

struct listing_row {
	const char *id;
	bool active;		/* being delivered now: '*' */
	bool held;		/* '!' */
	bool failed;		/* JSON queue_name "failed"; in the text layout '#' */
	uint64_t size;
	int64_t arrival;	/* us; printed local */
	const char *sender;	/* "" prints as MAILER-DAEMON */
	uint32_t uid;
	const struct listing_recipient *recipients;
	size_t nrecipients;
	bool continued;		/* these recipients follow others that were printed */
	bool masked;		/* someone else's: addresses as "(not shown)", no attempts */
};

struct listing_totals {
	uint64_t messages, bytes;
};

void listing_text_head(struct buf *out);
/* "Mail queue is empty", or "-- N Kbytes in M Requests." */
void listing_text_foot(struct buf *out, const struct listing_totals *t);

/* A row, in pieces because it may have more recipients than fit in memory: its beginning, then recipients as often as
 * there are some, then the end; one line in JSON. Whether JSON calls it deferred depends on the first piece. */
void listing_begin(struct buf *out, const struct listing_row *r, bool json);
void listing_recipients(struct buf *out, const struct listing_row *r, bool json);
void listing_end(struct buf *out, bool json);

#endif
