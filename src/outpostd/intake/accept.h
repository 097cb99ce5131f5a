/* accept.h: a decoded submission becomes a message of the queue. */
#ifndef OUTPOSTD_ACCEPT_H
#define OUTPOSTD_ACCEPT_H

#include "outpostd/parts.h"

struct acceptance {
	struct accepted *list;	/* in the transaction that is open */
	size_t n, cap;
};

/* Where a submission goes: its recipients, rewritten, each address once. Zeroed: none. */
struct accept_recipients {
	struct queue_new_recipient *list;	/* valid as long as the submission and the configuration */
	size_t n, cap;
};
/* Before a transaction, as it may have files read. 1: a list is being read; to be done again when it is (`since`: see
 * list_reader.h). */
int accept_prepare(struct outpostd *d, const struct submission *s, unsigned since, struct accept_recipients *to,
		   struct error *err);
void accept_recipients_free(struct accept_recipients *to);	/* zeroed afterwards */

struct accept_source {
	const struct submission *s;
	uint64_t size;
	const struct user *who;
	int64_t arrival;
	queue_source read;
	void *arg;
};
/* Inside a transaction. What was accepted is logged by accept_committed. */
int accept_submission(struct outpostd *d, const struct accept_source *from, const struct accept_recipients *to,
		      char id[QUEUE_ID], struct error *err);
/* The same for one that was acknowledged, and cannot be sent: it fails by itself, and its sender is notified as of
 * any other failure. */
int accept_to_fail(struct outpostd *d, const struct accept_source *from, const struct error *why, struct error *err);
void accept_committed(struct outpostd *d);
void accept_forget(struct outpostd *d);
void accept_free(struct outpostd *d);

#endif
