/* budget.c: so many messages in so long: for a relay (smtp_destination_rate_per_...) and for a user (user_message_rate_limit). */
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

/* The entry of this user: his own, or one whose hour is over. NULL: too many users to count. */
static struct user_budget *entry_of(struct door *door, uid_t uid)
{
	struct user_budget *old = NULL, *more;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < door->nbudgets; i++) {
		if (door->budgets[i].uid == uid)
			return &door->budgets[i];
		if (now - door->budgets[i].hour.start >= HOUR_MS)
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
		*old = (struct user_budget){.uid = uid};
	return old;
}

bool budget_allows(struct outpostd *d, uid_t uid, struct error *err)
{
	int64_t limit = conf_int(d->conf, P_user_message_rate_limit);
	struct user_budget *u;

	if (limit <= 0 || uid == 0)
		return true;
	u = entry_of(&d->door, uid);
	if (!u || (u->hour.used && clock_mono_ms() - u->hour.start >= HOUR_MS) || u->hour.used < limit) {
		if (u)
			budget_spend(&u->hour, limit, HOUR_MS);
		return true;
	}
	error_set(err, EX_TEMPFAIL, "4.7.1", "this user has sent %lld messages within an hour (user_message_rate_limit)",
		  (long long)limit);
	return false;
}
