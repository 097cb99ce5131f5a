/* print_history.h: the history of messages, as lines of text or JSON. */
#ifndef OUTPOST_PRINT_HISTORY_H
#define OUTPOST_PRINT_HISTORY_H

#include "base/buf.h"
#include "queue/queue.h"

/* What can happen, as `outpost log --event` takes it. */
#define EVENT_KINDS "queued sent deferred bounced expired held released retried deleted"

struct event_filter {
	const char *id;		/* whole; NULL: all messages */
	int64_t since;		/* us; 0: all */
	const char *recipient;	/* a part of the address; NULL: any */
	const char *kind;	/* NULL: any */
};

/* Prints what is in the history behind *key, oldest first, and moves *key on. */
int events_print(struct queue *q, const struct event_filter *f, bool json, int64_t *key, struct error *err);

#endif
