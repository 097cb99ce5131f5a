/*
 * shutdown.h: when outpostd ends. A flusher that was started for one errand ends when it has had nothing to do for
 * a moment; one whose door the service manager keeps, when nothing is queued for a long time (idle_time).
 */
#ifndef OUTPOSTD_SHUTDOWN_H
#define OUTPOSTD_SHUTDOWN_H

#include "outpostd/parts.h"

struct shutdown {
	bool begun;
	deadline by;		/* at the latest, whatever is under way */
	int64_t active;		/* mono ms: when something last happened */
	deadline idle_until;	/* 0: there is something to do */
	bool run_done;		/* the errand of --once is done */
	bool closed;		/* past the last look at the queue: no queue run begins any more */
	bool unsent;		/* mail was accepted after that, which nobody has sent */
};

void shutdown_begin(struct outpostd *d, int64_t within_ms);	/* the first call counts */
bool shutdown_begun(const struct outpostd *d);
void shutdown_postpone(struct outpostd *d);	/* something happened */
void shutdown_note_run(struct outpostd *d);	/* a queue run is done */
void shutdown_note_mail(struct outpostd *d);	/* mail was accepted */
bool shutdown_due(struct outpostd *d);
deadline shutdown_deadline(const struct outpostd *d);

/* Ends everything: the names go first, then clients that are connected are served, then the lock is freed. True:
 * this process has to start once more, since mail came that nobody would send. */
bool shutdown_complete(struct outpostd *d);
bool shutdown_is_closed(const struct outpostd *d);

#endif
