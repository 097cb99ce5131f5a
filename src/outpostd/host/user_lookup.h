/*
 * user_lookup.h: who a uid is, and which groups parameters name. The user database may be on another machine, slow,
 * or silent for ever: a process of its own asks it, for which outpostd waits a moment and no longer, before a
 * transaction begins, never within one, and not again for a minute.
 */
#ifndef OUTPOSTD_USER_LOOKUP_H
#define OUTPOSTD_USER_LOOKUP_H

#include "outpostd/parts.h"

enum { USERS_KEPT = 64, GROUPS_KEPT = 16, USER_GROUPS = 256 };
struct user {
	uid_t uid;
	bool known;
	bool failed;		/* it cannot be known now: the user database does not answer */
	char name[256];		/* "#uid" where it is not known */
	deadline until;
};
struct named_group {
	char name[256];
	gid_t gid;
	bool known, failed;
	deadline until;
};
struct users {
	struct user list[USERS_KEPT];
	size_t n, next;
	struct named_group groups[GROUPS_KEPT];
	size_t next_group;
	deadline silent;
};

void user_of(struct outpostd *d, uid_t uid, struct user *out);
/* how many; -1: it cannot be known now */
int user_groups(struct outpostd *d, uid_t uid, gid_t groups[USER_GROUPS]);
/* Whether a parameter (authorized_..._users) names this user: conf_names_user, with the same caution. */
int user_named(struct outpostd *d, enum conf_param p, const struct user *who, const gid_t *groups, size_t ngroups);

#endif
