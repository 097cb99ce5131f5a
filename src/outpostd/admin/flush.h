/* flush.h: everything that is queued is tried now; progress is reported to all who asked. */
#ifndef OUTPOSTD_FLUSH_H
#define OUTPOSTD_FLUSH_H

#include "outpostd/parts.h"

enum flush_reach {
	FLUSH_MAIL,		/* mail that waits; pauses of relays stand */
	FLUSH_RELAYS,		/* and relays that are down, but for a refused credential */
	FLUSH_ALL,
};
struct flush {
	bool on;
	enum flush_reach reach;
	deadline since;		/* mono ms */
	deadline fresh;		/* until then the counts are those of the first one to come */
	uint64_t total, done, sent, deferred, failed;
	uint64_t reported_done;	/* at the last report of progress, */
	deadline report_at;	/* and when the next may be */
};

void flush_expect(struct outpostd *d);	/* once, at the beginning */
void flush_start(struct outpostd *d, enum flush_reach reach);
void flush_check(struct outpostd *d);	/* once per turn */
void flush_note_mail(struct outpostd *d);	/* a message came */
void flush_count(struct outpostd *d, unsigned outcome);	/* a claim is over, with these outcomes (struct claim) */
/* A relay went down in a session that began (mono ms) before an administrator fixed something and asked for a
 * flush: that was not the attempt they asked for. */
void flush_retry_relay(struct outpostd *d, struct relay *r, int64_t since);

#endif
