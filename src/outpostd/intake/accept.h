/* accept.h: a decoded submission becomes a message of the queue. */
#ifndef OUTPOSTD_ACCEPT_H
#define OUTPOSTD_ACCEPT_H

#include "outpostd/parts.h"

struct acceptance {
	struct accepted *list;	/* in the transaction that is open */
	size_t n, cap;
};

/* Inside a transaction. What was accepted is logged by accept_committed. */
int accept_submission(struct outpostd *d, const struct submission *s, uint64_t size, const struct user *who,
		      int64_t arrival,
		      queue_source source, void *arg, char id[QUEUE_ID], struct error *err);
/* The same for one that was acknowledged, and cannot be sent: it fails by itself, and its sender is notified as of
 * any other failure. */
int accept_to_fail(struct outpostd *d, const struct submission *s, uint64_t size, const struct user *who,
		   int64_t arrival,
		   queue_source source, void *arg, const struct error *why, struct error *err);
void accept_committed(struct outpostd *d);
void accept_forget(struct outpostd *d);
void accept_free(struct outpostd *d);

#endif
