/* housekeeping.c: once an hour, in small steps. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"

enum { EVERY_MS = 3600 * 1000, SOON_MS = 200, FIRST_MS = 60 * 1000 };

deadline housekeeping_deadline(struct outpostd *d)
{
	if (commit_stalled(d))
		return DEADLINE_NEVER;
	if (d->expiry.relay)
		return clock_mono_ms();
	if (!d->housekeeping.next)
		d->housekeeping.next = deadline_in_ms(FIRST_MS);
	return d->housekeeping.next;
}

void housekeeping_soon(struct outpostd *d)
{
	d->housekeeping.next = clock_mono_ms();
}

void housekeeping_tick(struct outpostd *d)
{
	int64_t now = clock_us(d);
	struct error err = {0};
	bool more = false, space = false;

	expiry_tick(d);
	if (d->expiry.relay || !deadline_over(housekeeping_deadline(d)) || d->shutdown.begun)
		return;
	if (queue_expire_history(d->queue, now - conf_seconds(d->conf, P_failed_lifetime) * 1000000,
				 now - conf_seconds(d->conf, P_history_lifetime) * 1000000, &more, &err) < 0 ||
	    (!more && queue_give_back_space(d->queue, &space, &err) < 0)) {
		log_line(LOG_WARN, "qmgr", 0, "housekeeping of the queue: %s", err.text);
		more = space = false;
	}
	d->housekeeping.next = deadline_in_ms(more || space ? SOON_MS : EVERY_MS);
	incoming_look(d); /* for what no event reported */
}
