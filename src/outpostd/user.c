/*
 * user.c: who a uid is. The user database may be on another machine, and slow: it is asked before a transaction begins,
 * never within one, and not again for a minute.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <pwd.h>

#include "base/proc.h"

enum { KNOWN_MS = 60 * 1000, FAILED_MS = 2000 };

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
		bool failed;
		const struct passwd *pw = proc_user(uid, &failed);

		*e = (struct user){.uid = uid, .until = deadline_in_ms(failed ? FAILED_MS : KNOWN_MS), .known = pw != NULL, .failed = failed};
		if (pw)
			snprintf(e->name, sizeof(e->name), "%s", pw->pw_name);
		else
			snprintf(e->name, sizeof(e->name), "#%u", (unsigned)uid);
	}
	*out = *e;
}
