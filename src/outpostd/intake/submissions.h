/* submissions.h: submissions that are complete wait here for the commit of this turn, and get its answer. */
#ifndef OUTPOSTD_SUBMISSIONS_H
#define OUTPOSTD_SUBMISSIONS_H

#include "outpostd/parts.h"

struct submissions {
	struct client *ready, **end;	/* in the order of their coming */
	size_t n;
	deadline since;			/* the first of them came */
	size_t group;			/* so many were in the last commit, */
	deadline grouped;		/* then */
};

void submission_complete(struct client *c);
void submission_withdraw(struct client *c);	/* if it waits here */
/* Whether the commit should wait a moment for submissions that are nearly complete. */
bool submissions_gather(struct outpostd *d);
void submissions_write(struct outpostd *d);	/* inside the transaction: puts all into the queue */
void submissions_committed(struct outpostd *d);
void submissions_failed(struct outpostd *d, const struct error *why);
void submissions_forget(struct outpostd *d);	/* clients that wait for their answer get none */

#endif
