/*
 * person_share.h: whose a connection is, and what that person has in the queue. Limits count persons, as subordinate
 * uids cost nothing (base/person.h); and while little of the disk is free nobody may have more in the queue than is
 * still free for others (base/room.h).
 */
#ifndef OUTPOSTD_PERSON_SHARE_H
#define OUTPOSTD_PERSON_SHARE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/person.h"

struct outpostd;

struct person_shares {
	struct persons known;
	struct person_share {
		uid_t person;
		uint64_t bytes;		/* of messages in the queue */
	} *list;
	size_t n, cap;
	deadline until;			/* they are counted again then */
};

uid_t person_of_uid(struct outpostd *d, uid_t uid);
/* Whether a submission of which `size` bytes have come may go on. Root and outpost itself always may. */
int person_has_room(struct outpostd *d, uid_t person, uint64_t size, struct error *err);
/* A submission of this person was accepted. */
void person_adds(struct outpostd *d, uid_t person, uint64_t size);
void person_shares_free(struct outpostd *d);

#endif
