/*
 * settle.h: verdicts of agents become facts. They are gathered for a few milliseconds while more are to be
 * expected, written in one transaction with the bounces that follow from them, and logged when they are committed.
 * Until then the claim stays, so that no agent is offered the message again.
 */
#ifndef OUTPOSTD_SETTLE_H
#define OUTPOSTD_SETTLE_H

#include "outpostd/parts.h"

struct settlement {
	struct verdict *verdicts;
	size_t n, cap;
	size_t withheld;	/* of these: they wait for the others of their message */
	deadline since;		/* the first of those that are not withheld came */
};

int settle_verdict(struct outpostd *d, struct agent *a, struct claim *c, const struct delivery_verdict *v);
void settle_done(struct outpostd *d, struct claim *c, const struct delivery_done *done);
/* An agent ended: what it had goes back. died: it gave no reason. */
void settle_abandon(struct outpostd *d, struct agent *a, const struct delivery_down *why, bool died);
/* A message that waits for a relay that is down: only its age counts. */
void settle_age(struct outpostd *d, struct claim *c, const struct relay *r);
void settle_unreadable(struct outpostd *d, struct claim *c, const struct error *err);

/* Whether anything waits for the next commit; whether that commit should be now. */
bool settle_waits(const struct outpostd *d);
deadline settle_deadline(const struct outpostd *d);
size_t settle_count(const struct outpostd *d);	/* verdicts that are not stored */
int settle_write(struct outpostd *d, struct error *err);
void settle_committed(struct outpostd *d);
void settle_failed(struct outpostd *d);
void settle_free(struct outpostd *d);

#endif
