/*
 * user.c: who a uid is. The user database may be on another machine, and slow: it is asked before a transaction begins,
 * never within one, and not again for a minute.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <pwd.h>

enum { KNOWN_MS = 60 * 1000 };

static struct user *entry_of(struct users *u, uid_t uid)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->list[i].uid == uid)
			return &u->list[i];
	if (u->n < USERS_KEPT)
		return &u->list[u->n++];
	u->next = (u->next + 1) % USERS_KEPT;
	return &u->list[u->next];
}

void user_of(struct outpostd *d, uid_t uid, struct user *out)
{
	struct user *e = entry_of(&d->users, uid);

	if (e->uid != uid || deadline_over(e->until)) {
		const struct passwd *pw = getpwuid(uid);

		*e = (struct user){.uid = uid, .until = deadline_in_ms(KNOWN_MS), .known = pw != NULL};
		if (pw)
			snprintf(e->name, sizeof(e->name), "%s", pw->pw_name);
		else
			snprintf(e->name, sizeof(e->name), "#%u", (unsigned)uid);
	}
	*out = *e;
}
