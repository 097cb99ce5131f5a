/*
 * clock.h: a wall clock that is stepped. Times in the queue are wall times. A machine that boots in 1970 and learns
 * the time later has not waited for fifty years: the queue's times follow the step.
 */
#ifndef OUTPOSTD_CLOCK_H
#define OUTPOSTD_CLOCK_H

#include "outpostd/parts.h"

struct clock {
	int64_t offset;		/* ms of the wall clock from CLOCK_BOOTTIME, */
	bool known;		/* once it was measured */
	deadline report_again;	/* when a failure to follow a step may be logged again */
};

void clock_check(struct outpostd *d);
/* Corrects times that were stored under a wrong clock, which was set right while outpostd did not run. */
void clock_correct_queue(struct outpostd *d);
/* The time of the queue: the wall clock, but before a step that the queue has not followed yet. */
int64_t clock_us(const struct outpostd *d);
/* Whether a time can be true: a clock that does not know the year shows one long ago. */
bool clock_knows(int64_t time);
bool clock_stepped(const struct outpostd *d);	/* it waits for claims to end: hand out nothing more */

#endif
