/*
 * schedule.h: gives due messages to agents. Work stops where no agent has room. An agent is started when something
 * is due, its relay may be tried, and either none is there or those that are there have been full for a while.
 */
#ifndef OUTPOSTD_SCHEDULE_H
#define OUTPOSTD_SCHEDULE_H

#include "outpostd/parts.h"

struct schedule {
	bool skipped;		/* something was passed over for want of room */
	bool paced;		/* something was passed over because of its relay's rate */
	/* wall us: when a relay for which something was passed over may be tried, or given more; INT64_MAX */
	int64_t again;
	deadline rest;		/* handing out took long, and until then it is the others' turn */
};

/* Something changed: look at everything again. */
void schedule_reset(struct outpostd *d);
void schedule_claim_over(struct outpostd *d, struct claim *c);
bool schedule_work(struct outpostd *d);		/* hands out; whether more could be done at once */
bool schedule_idle(struct outpostd *d);		/* all that could be sent now is sent */
bool schedule_empty(struct outpostd *d);	/* nothing is queued, now or for later */
deadline schedule_deadline(struct outpostd *d);

#endif
