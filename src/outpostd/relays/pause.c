/* pause.c: the pauses in the row of a relay. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

/* Where there are too many the two oldest are joined, which only prolongs lives. */
void pause_add(struct queue_relay *s, int64_t since, int64_t until)
{
	struct queue_pause *p = s->pauses;

	if (s->npauses == QUEUE_PAUSES) {
		p[1].since = p[0].since;
		memmove(p, p + 1, --s->npauses * sizeof(*p));
	}
	p[s->npauses++] = (struct queue_pause){since, until};
}

void pause_shift(struct queue_relay *s, int64_t before, int64_t by_us)
{
	for (size_t i = 0; i < s->npauses; i++)
		if (s->pauses[i].since <= before) {
			s->pauses[i].since += by_us;
			s->pauses[i].until += by_us;
		}
}

static int64_t overlap(int64_t from, int64_t to, int64_t since, int64_t now)
{
	if (from < since)
		from = since;
	if (to > now)
		to = now;
	return to > from ? to - from : 0;
}

int64_t pause_sum(const struct queue_relay *s, int64_t since, int64_t now)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->npauses; i++)
		sum += overlap(s->pauses[i].since, s->pauses[i].until, since, now);
	return sum;
}
