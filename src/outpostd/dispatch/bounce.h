/*
 * bounce.h: notifications to senders: failure, delay, success where the relay cannot report it. A notification is
 * put into the queue by the same transaction that settles what it reports, so it is neither lost nor made twice. It
 * comes from <>, and is itself never followed by another: nothing can multiply.
 */
#ifndef OUTPOSTD_BOUNCE_H
#define OUTPOSTD_BOUNCE_H

#include "outpostd/parts.h"
#include "mail/dsn.h"

struct bounce_recipient {
	const struct queue_recipient *r;
	const char *dsn, *text, *relay;
	int64_t when;
};
struct bounces {
	struct bounce_made *list;	/* in the transaction that is open */
	size_t n, cap;
};

/* Inside the transaction. */
int bounce_put(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
	       const struct bounce_recipient *list, size_t n, struct error *err);
void bounce_committed(struct outpostd *d);
void bounce_forget(struct outpostd *d);
void bounces_free(struct outpostd *d);

#endif
