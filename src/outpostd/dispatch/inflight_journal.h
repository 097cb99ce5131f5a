/*
 * inflight_journal.h: which messages are with an agent at this moment, in a small file that outlives outpostd. Only
 * log lines depend on it: when a flusher ends without settling what was under way, the next one reports for each
 * such message that is still queued that it may be delivered twice.
 */
#ifndef OUTPOSTD_INFLIGHT_JOURNAL_H
#define OUTPOSTD_INFLIGHT_JOURNAL_H

#include "outpostd/parts.h"

struct journal {
	char (*slots)[QUEUE_ID];
};

void journal_open(struct outpostd *d);
void journal_close(struct outpostd *d);
void journal_add(struct outpostd *d, struct claim *c);
void journal_remove(struct outpostd *d, struct claim *c);

#endif
