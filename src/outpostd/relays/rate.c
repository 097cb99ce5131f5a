/* rate.c: so many messages in so long: for a relay (smtp_destination_rate_per_...) and for a user
 * (user_message_rate_limit). */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, USERS_MAX = 4096 };

int64_t budget_spend(struct budget *b, int64_t limit, int64_t length_ms)
{
	int64_t now = clock_mono_ms();

	if (limit <= 0)
		return 0;
	if (!b->used || now - b->start >= length_ms) {
		b->start = now;
		b->used = 0;
	}
	return ++b->used >= limit ? b->start + length_ms : 0;
}

/* When the next message may go is stored, so that a restart does not shorten the delay. */
static void note_rate(struct relay *r)
{
	int64_t wall = clock_wall_us() - clock_mono_ms() * 1000;

	r->state.not_before = r->not_before * 1000 + wall;
	r->dirty = true; /* is stored with the verdicts, which come anyhow */
}

/* A stored time by the other clock; 0: of no use, since it is too long ago or to come. */
static int64_t near_by(int64_t wall_us, int64_t before_ms, int64_t after_ms)
{
	int64_t from_now = (wall_us - clock_wall_us()) / 1000;

	return from_now > -before_ms && from_now <= after_ms ? clock_mono_ms() + from_now : 0;
}

void relay_read_rate(struct outpostd *d, struct relay *r)
{
	int64_t delay = conf_seconds(d->conf, P_smtp_destination_rate_delay) * 1000;

	r->not_before = near_by(r->state.not_before, 0, delay > 60000 ? delay : 60000);
}

bool relay_paced(const struct relay *r)
{
	return r->not_before <= clock_mono_ms();
}

void relay_took(struct outpostd *d, struct relay *r)
{
	int64_t delay = conf_seconds(d->conf, P_smtp_destination_rate_delay);
	int64_t second = budget_spend(&r->second, conf_int(d->conf, P_smtp_destination_rate_per_second), 1000);
	int64_t minute = budget_spend(&r->minute, conf_int(d->conf, P_smtp_destination_rate_per_minute), 60000);

	if (delay > 0)
		r->not_before = deadline_in_ms(delay * 1000);
	if (r->not_before < second)
		r->not_before = second;
	if (r->not_before < minute)
		r->not_before = minute;
	if (delay || r->second.used || r->minute.used)
		note_rate(r);
}

/* An hour that is over takes its messages along; what was taken beyond the limit stays for the next. */
static void roll(struct budget *b, int64_t limit)
{
	int64_t now = clock_mono_ms();

	while (b->used && now - b->start >= HOUR_MS) {
		b->used = b->used > limit ? b->used - (unsigned)limit : 0;
		b->start += HOUR_MS;
	}
	if (!b->used)
		b->start = now;
}

/* The entry of this user: his own, or one that is free again. NULL: too many users to count. */
static struct user_budget *entry_of(struct door *door, uid_t uid, int64_t limit)
{
	struct user_budget *old = NULL, *more;

	for (size_t i = 0; i < door->nbudgets; i++) {
		roll(&door->budgets[i].hour, limit);
		if (door->budgets[i].uid == uid)
			return &door->budgets[i];
		if (!door->budgets[i].hour.used)
			old = &door->budgets[i];
	}
	if (!old && door->nbudgets < USERS_MAX) {
		more = realloc(door->budgets, (door->nbudgets + 1) * sizeof(*more));
		if (!more)
			return NULL;
		door->budgets = more;
		old = &more[door->nbudgets++];
	}
	if (old)
		*old = (struct user_budget){.uid = uid, .hour.start = clock_mono_ms()};
	return old;
}

bool budget_allows(struct outpostd *d, uid_t uid, struct error *err)
{
	int64_t limit = conf_int(d->conf, P_user_message_rate_limit);
	struct user_budget *u = limit > 0 && uid != 0 ? entry_of(&d->door, uid, limit) : NULL;

	if (u && u->hour.used >= limit) {
		error_set(err, REASON_LIMIT,
			  "this user has sent %lld messages within an hour (user_message_rate_limit)",
			  (long long)limit);
		return false;
	}
	if (u)
		u->hour.used++;
	return true;
}

void budget_return(struct outpostd *d, uid_t uid)
{
	for (size_t i = 0; i < d->door.nbudgets; i++)
		if (d->door.budgets[i].uid == uid && d->door.budgets[i].hour.used)
			d->door.budgets[i].hour.used--;
}

int64_t budget_delay(struct outpostd *d, uid_t uid)
{
	int64_t limit = conf_int(d->conf, P_user_message_rate_limit), hours;
	struct user_budget *u = limit > 0 && uid != 0 ? entry_of(&d->door, uid, limit) : NULL;

	if (!u)
		return 0;
	hours = u->hour.used++ / limit;
	return hours ? (u->hour.start + hours * HOUR_MS - clock_mono_ms()) * 1000 : 0;
}
