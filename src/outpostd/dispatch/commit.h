/*
 * commit.h: everything of a turn that waits for the disk goes into one transaction. Before the commit nothing is
 * answered and nothing is forgotten; after it the submissions are ours and the verdicts are facts. If the queue
 * takes no commits, submitters get 75, verdicts are kept and tried again, and nothing more is given to the relay
 * until a commit succeeds.
 */
#ifndef OUTPOSTD_COMMIT_H
#define OUTPOSTD_COMMIT_H

#include "outpostd/parts.h"

struct commit {
	char reason[300];	/* why the queue takes no commits; "": it does */
	deadline again;
	unsigned failures;	/* in a row */
	/* the last one failed: notifications are made without the whole original, however much of it was asked for */
	bool tight;
	bool displaced;		/* the queue was removed or replaced: what is committed is lost */
	deadline in_place;	/* until when that is not checked again */
};

void commit_turn(struct outpostd *d);
deadline commit_deadline(struct outpostd *d);
/* Why the queue takes no commits, and so nothing is sent, or NULL. */
const char *commit_stalled(const struct outpostd *d);
bool commit_is_tight(const struct outpostd *d);
/* False: what was committed is in no queue any more, and outpostd ends. */
bool commit_counts(struct outpostd *d, struct error *err);
bool commit_would_count(struct outpostd *d);	/* the same, checked once a second */
bool commit_displaced(const struct outpostd *d);

#endif
