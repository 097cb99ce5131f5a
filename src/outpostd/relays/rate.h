/* rate.h: smtp_destination_rate_delay, the time between two messages to a relay. */
#ifndef OUTPOSTD_RATE_H
#define OUTPOSTD_RATE_H

#include "outpostd/parts.h"

/* From its row, so that a restart shortens no delay. */
void rate_read(struct outpostd *d, struct relay *r);
bool rate_allows(const struct relay *r);
/* A message was given to it. */
void rate_count(struct outpostd *d, struct relay *r);

#endif
