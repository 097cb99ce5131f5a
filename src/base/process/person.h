/*
 * person.h: whom a uid belongs to. A user with subordinate uids (subuid(5)) can act under 65,536 of them, so limits
 * that are meant for a person count the owner of a range, not the uid.
 *
 * Only files are read, /etc/subuid and /etc/passwd, never the user database of another machine, which may be silent:
 * a range whose owner is not in /etc/passwd counts as one person of its own. So does a range of root's: containers live
 * in those, and nobody in them is root here. Files that are not root's, not regular,
 * larger than 4 MiB, or that others may write, count as absent.
 */
#ifndef BASE_PERSON_H
#define BASE_PERSON_H

#include <sys/types.h>

#include "base/deadline.h"

#define PERSON_SUBUID "/etc/subuid"
#define PERSON_PASSWD "/etc/passwd"

/* The uid that stands for the person; uid itself where no range holds it. */
uid_t person_of(uid_t uid);
/* The same by other files (tests). */
uid_t person_of_in(uid_t uid, const char *subuid, const char *passwd);

/* What was found lately, for a process that asks often. Zeroed: nothing yet. */
enum { PERSONS_KEPT = 64 };
struct persons {
	struct {
		uid_t uid, person;
		deadline until;		/* 0: free */
	} list[PERSONS_KEPT];
};
uid_t person_known(struct persons *p, uid_t uid);

#endif
