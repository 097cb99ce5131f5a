/* submissions.h: submissions that are complete wait here for the commit of this turn, and get its answer. */
#ifndef OUTPOSTD_SUBMISSIONS_H
#define OUTPOSTD_SUBMISSIONS_H

#include "outpostd/parts.h"

struct submissions {
	struct client *ready, **end;	/* in the order of their coming */
	size_t n;
	size_t waiting;			/* of them, for lists that are being read */
	deadline since;			/* the first of them came */
	size_t group;			/* so many were in the last commit, */
	deadline grouped;		/* then */
};

void submission_complete(struct client *c);
void submission_withdraw(struct client *c);	/* if it waits here */
bool submissions_ready(const struct outpostd *d);
/* Whether the commit should wait a moment for submissions that are nearly complete. */
bool submissions_gather(struct outpostd *d);
/* Before the transaction: rewrites the recipients of those that it will hold. False: there are none. */
bool submissions_prepare(struct outpostd *d);
void submissions_write(struct outpostd *d);	/* inside the transaction: puts them into the queue */
void submissions_lists_read(struct outpostd *d);	/* those that waited for a list go on */
void submissions_committed(struct outpostd *d);
void submissions_failed(struct outpostd *d, const struct error *why);
void submissions_forget(struct outpostd *d);	/* clients that wait for their answer get none */

#endif
