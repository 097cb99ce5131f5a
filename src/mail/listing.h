/*
 * listing.h: mailq's layout, as Postfix's showq prints it (postqueue(1)), and the JSON of postqueue -j with our additions.
 * Pure text: rows in, bytes out. Used by outpostd (mailq through the door) and by outpost.
 */
#ifndef MAIL_LISTING_H
#define MAIL_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct listing_recipient {
	const char *address;
	const char *original;
	const char *reason;	/* NULL: none */
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
	bool masked;		/* someone else's: addresses as "(not shown)" */
};

struct listing_totals {
	uint64_t messages, bytes;
};

void listing_text_head(struct buf *out);
void listing_text_row(struct buf *out, const struct listing_row *r);
void listing_text_foot(struct buf *out, const struct listing_totals *t);	/* "Mail queue is empty", or "-- N Kbytes in M Requests." */
void listing_json_row(struct buf *out, const struct listing_row *r);		/* one line */

#endif
