/* active.h: which messages are being delivered at this moment. Only a running outpostd knows. */
#ifndef OUTPOST_ACTIVE_H
#define OUTPOST_ACTIVE_H

#include "outpost/command.h"

struct active {
	char (*ids)[QUEUE_ID];	/* sorted */
	size_t n;
};

/* Asks the flusher, once context_become was. That none answers is no error: then nothing is being delivered. */
void active_ask(struct context *c, struct active *out);
bool active_has(const struct active *a, const char *id);
void active_free(struct active *a);

#endif
