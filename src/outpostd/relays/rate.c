/* rate.c: smtp_destination_rate_delay. The queue stores when the next message may go, on the wall clock. */
#include "config.h"
#include "outpostd/outpostd.h"

void rate_read(struct outpostd *d, struct relay *r)
{
	int64_t longest = conf_seconds(d->conf, P_smtp_destination_rate_delay) * 1000;
	int64_t left = (r->row.not_before - clock_wall_us()) / 1000;

	r->not_before = left > 0 && left <= longest ? deadline_in_ms(left) : 0;
}

bool rate_allows(const struct relay *r)
{
	return r->not_before <= clock_mono_ms();
}

void rate_count(struct outpostd *d, struct relay *r)
{
	int64_t delay = conf_seconds(d->conf, P_smtp_destination_rate_delay);

	if (delay <= 0)
		return;
	r->not_before = deadline_in_ms(delay * 1000);
	r->row.not_before = clock_wall_us() + delay * 1000000;
	relay_store_later(r);
}
