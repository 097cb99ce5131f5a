/* upkeep.c: what is done when nothing else is: history and failed messages end, space is given back, and where a
 * relay is down the messages that wait for it are looked at for their age. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { UPKEEP_MS = 3600 * 1000, UPKEEP_SOON_MS = 200, UPKEEP_FIRST_MS = 60 * 1000 };

deadline upkeep_deadline(struct outpostd *d)
{
	if (!d->upkeep)
		d->upkeep = deadline_in_ms(UPKEEP_FIRST_MS);
	return d->stalled ? DEADLINE_NEVER : d->upkeep;
}

void upkeep_tick(struct outpostd *d)
{
	int64_t now = clock_wall_us();
	struct error err = {0};
	bool more = false, space = false;

	if (!deadline_over(upkeep_deadline(d)) || d->leaving)
		return;
	if (queue_expire_history(d->queue, now - conf_seconds(d->conf, P_failed_lifetime) * 1000000,
				 now - conf_seconds(d->conf, P_history_lifetime) * 1000000, &more, &err) < 0 ||
	    (!more && queue_give_back_space(d->queue, &space, &err) < 0)) {
		log_line(LOG_WARN, "qmgr", 0, "upkeep of the queue: %s", err.text);
		more = space = false;
	}
	d->upkeep = deadline_in_ms(more || space ? UPKEEP_SOON_MS : UPKEEP_MS);
	if (d->incoming.fd < 0)
		d->look_incoming = true;
}
