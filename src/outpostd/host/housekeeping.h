/* housekeeping.h: what is done when nothing else is: history and failed messages end, and space is given back. */
#ifndef OUTPOSTD_HOUSEKEEPING_H
#define OUTPOSTD_HOUSEKEEPING_H

#include "outpostd/parts.h"

struct housekeeping {
	deadline next;		/* 0: not known yet */
};

deadline housekeeping_deadline(struct outpostd *d);
void housekeeping_tick(struct outpostd *d);
/* There may be something to give back. */
void housekeeping_soon(struct outpostd *d);

#endif
