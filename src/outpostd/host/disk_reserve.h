/*
 * disk_reserve.h: a little of the disk kept back for verdicts. Storing that a message was sent takes space for a
 * moment, even though it frees more; on a full disk it would fail after the relay has the message, and the message
 * would be sent twice. So a file of some size stands by, is removed when a commit of verdicts fails, and until
 * there is room for it again nothing is accepted.
 */
#ifndef OUTPOSTD_DISK_RESERVE_H
#define OUTPOSTD_DISK_RESERVE_H

#include "outpostd/parts.h"

struct reserve {
	bool ready;
	deadline again;		/* when to try to make it again */
};

bool reserve_ready(struct outpostd *d);
bool reserve_use(struct outpostd *d);	/* frees it; false when there was nothing to free */

#endif
