/*
 * deadline.h: absolute times, so that a peer which sends a byte now and then can't stretch a phase.
 *
 * A deadline is milliseconds of CLOCK_MONOTONIC. DEADLINE_NEVER never comes.
 * Wall-clock times in the program are int64_t microseconds since 1970 (UTC).
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t deadline;

#define DEADLINE_NEVER INT64_MAX

int64_t clock_mono_ms(void);	/* CLOCK_MONOTONIC */
int64_t clock_boot_ms(void);	/* CLOCK_BOOTTIME: goes on during suspend */
int64_t clock_wall_us(void);	/* CLOCK_REALTIME */

deadline deadline_in_ms(int64_t ms);
bool deadline_over(deadline d);
/* For poll(2): milliseconds left, 0 when it is over, -1 for DEADLINE_NEVER. */
int deadline_poll(deadline d);
deadline deadline_first(deadline a, deadline b);

#endif
