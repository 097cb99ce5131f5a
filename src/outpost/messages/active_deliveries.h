/* active_deliveries.h: what a listing adds to the rows of the queue: which messages are being delivered at this moment,
 * and why mail waits. A running outpostd knows both; without one the configuration and the queue's rows of relays give
 * the second. */
#ifndef OUTPOST_ACTIVE_DELIVERIES_H
#define OUTPOST_ACTIVE_DELIVERIES_H

#include "outpost/command.h"
#include "outpost/messages/select_messages.h"

struct active {
	struct selection ids;	/* sorted */
	char reason[1024];	/* why mail waits that has no reason of its own; empty: nothing known */
	char dsn[12];
	enum reason why;
};

/* Asks the flusher; context_become comes first. Without one nothing is being delivered, which is no error. */
void active_ask(struct context *c, struct queue *q, struct active *out);
bool active_has(const struct active *a, const char *id);
void active_free(struct active *a);

#endif
