/* housekeeping.c: what is done when nothing else is: history and failed messages end, space is given back, and where a
 * relay is down the messages that wait for it are looked at for their age. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { AGE_PAGE = 50, UPKEEP_MS = 3600 * 1000, UPKEEP_SOON_MS = 200, UPKEEP_FIRST_MS = 60 * 1000 };

/* After a relay was found down: a page of those who wait, oldest first. */
static bool age_page(struct outpostd *d)
{
	int64_t now = clock_us(d), life = conf_seconds(d->conf, P_maximal_queue_lifetime),
		bounces = conf_seconds(d->conf, P_bounce_queue_lifetime),
		warn = conf_seconds(d->conf, P_delay_warning_time);
	struct queue_filter f = {.states = "q"};
	struct queue_row rows[AGE_PAGE];
	struct error err = {0};
	int n;

	if (bounces < life)
		life = bounces;
	if (warn && warn < life)
		life = warn;
	f.older_than = now - life * 1000000;
	if (f.older_than <= 0)
		return false;
	n = queue_list(d->queue, &f, &d->aging_key, rows, AGE_PAGE, &err);
	for (int i = 0; i < n; i++) {
		struct queue_message m;
		struct claim *c;

		memset(&m, 0, sizeof(m));
		if (!claim_known(d, rows[i].row) &&
		    queue_fetch(d->queue, rows[i].row, now, true, CLAIM_RECIPIENTS, &m, &err) == 1) {
			c = claim_new(d, &m);
			if (c) {
				c->aged = true;
				settle_age(d, c, d->aging);
			}
			queue_message_free(&m);
		}
		queue_row_free(&rows[i]);
	}
	return n > 0;
}

static void age(struct outpostd *d)
{
	if (!d->aging || d->leaving || d->stalled || settle_waits(d))
		return;
	if (!age_page(d))
		d->aging = NULL;
}

deadline upkeep_deadline(struct outpostd *d)
{
	if (d->aging && !d->stalled)
		return clock_mono_ms();
	if (!d->upkeep)
		d->upkeep = deadline_in_ms(UPKEEP_FIRST_MS);
	return d->stalled ? DEADLINE_NEVER : d->upkeep;
}

void upkeep_tick(struct outpostd *d)
{
	int64_t now = clock_us(d);
	struct error err = {0};
	bool more = false, space = false;

	age(d);
	if (d->aging || !deadline_over(upkeep_deadline(d)) || d->leaving)
		return;
	if (queue_expire_history(d->queue, now - conf_seconds(d->conf, P_failed_lifetime) * 1000000,
				 now - conf_seconds(d->conf, P_history_lifetime) * 1000000, &more, &err) < 0 ||
	    (!more && queue_give_back_space(d->queue, &space, &err) < 0)) {
		log_line(LOG_WARN, "qmgr", 0, "upkeep of the queue: %s", err.text);
		more = space = false;
	}
	d->upkeep = deadline_in_ms(more || space ? UPKEEP_SOON_MS : UPKEEP_MS);
	d->incoming.look = true; /* what nobody said was there */
}
