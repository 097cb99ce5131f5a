/* pause.h: when a relay was down and only the administrator could help. This time does not age mail. */
#ifndef OUTPOSTD_PAUSE_H
#define OUTPOSTD_PAUSE_H

#include "outpostd/parts.h"

void pause_add(struct queue_relay *s, int64_t since, int64_t until);
/* Moves those that began before. */
void pause_shift(struct queue_relay *s, int64_t before, int64_t by_us);
/* How much of the time between the two those that are over cover (us). */
int64_t pause_sum(const struct queue_relay *s, int64_t since, int64_t now);

#endif
