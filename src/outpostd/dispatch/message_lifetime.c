/* message_lifetime.c: nothing tries these messages, but their time passes. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

enum { AGE_PAGE = 50 };

void expiry_begin(struct outpostd *d, struct relay *r)
{
	d->expiry = (struct expiry){.relay = r};
}

/* The next page of messages that wait, oldest first. False: there are no more. */
static bool examine_page(struct outpostd *d)
{
	int64_t now = clock_us(d), warn = conf_seconds(d->conf, P_delay_warning_time);
	int64_t life = conf_seconds(d->conf, P_maximal_queue_lifetime);
	int64_t bounces = conf_seconds(d->conf, P_bounce_queue_lifetime);
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
	n = queue_list(d->queue, &f, &d->expiry.key, rows, AGE_PAGE, &err);
	for (int i = 0; i < n; i++) {
		struct queue_message m;
		struct claim *c;

		memset(&m, 0, sizeof(m));
		if (!claim_known(d, rows[i].row) &&
		    queue_fetch(d->queue, rows[i].row, now, true, CLAIM_RECIPIENTS, &m, &err) == 1) {
			c = claim_new(d, &m, CLAIM_EXAMINED);
			if (c)
				settle_age(d, c, d->expiry.relay);
			queue_message_free(&m);
		}
		queue_row_free(&rows[i]);
	}
	return n > 0;
}

void expiry_tick(struct outpostd *d)
{
	if (!d->expiry.relay || d->shutdown.begun || commit_stalled(d) || settle_waits(d))
		return;
	if (!examine_page(d))
		d->expiry.relay = NULL;
}
