/* active_deliveries.h: what a listing says beside the queue's own words: which messages are being delivered at this
 * moment, and why none moves. A running outpostd knows; where none runs the configuration and what the queue remembers
 * of the relays tell the second. */
#ifndef OUTPOST_ACTIVE_DELIVERIES_H
#define OUTPOST_ACTIVE_DELIVERIES_H

#include "outpost/command.h"

struct active {
	char (*ids)[QUEUE_ID];	/* sorted */
	size_t n;
	char reason[1024];	/* why mail waits that has no reason of its own; empty: nothing known */
	char dsn[12];
};

/* Asks the flusher, once context_become was. That none answers is no error: then nothing is being delivered. */
void active_ask(struct context *c, struct queue *q, struct active *out);
bool active_has(const struct active *a, const char *id);
void active_free(struct active *a);

#endif
