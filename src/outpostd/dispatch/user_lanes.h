/*
 * user_lanes.h: which message next. Each submitting user has a lane, a cursor through what is due of that user's,
 * and persons take turns, and the lanes of a person, so that 50,000 messages of one job, or of 50,000 subordinate uids,
 * delay another user's by one message.
 */
#ifndef OUTPOSTD_USER_LANES_H
#define OUTPOSTD_USER_LANES_H

#include "outpostd/parts.h"

struct lane {
	uint32_t uid;
	uid_t person;
	size_t round;		/* in which its person gave a message */
	struct queue_cursor cursor;
	bool dry;
	int64_t dried;		/* wall us: all of it that was due then was seen */
};
struct lanes {
	struct lane *list;
	size_t n, cap, turn;
	size_t round;		/* in each a person gives one message, and each begins a lane later */
	bool look;		/* lanes have to be looked up again */
	bool force;		/* everything is due (a flush), */
	int64_t *tried;		/* but for these rows, deferred in this flush */
	size_t ntried, captried;
	bool tried_sorted;
	int64_t looked;		/* wall us: of the last look */
	int64_t due;		/* wall us: when something more falls due; INT64_MAX never; */
	bool due_known;		/* false: it has to be asked for */
	struct error trouble;	/* why the queue cannot be read; REASON_NONE: it can */
	deadline wait;		/* it could not: again then, */
	deadline reported;	/* and logged again then */
};

/* Something changed: look at everything again. */
void lanes_reset(struct outpostd *d);
/* When something falls due may have changed. */
void lanes_changed(struct outpostd *d);
/* A message came. */
void lanes_new_mail(struct outpostd *d, uint32_t uid, int64_t due);
/* Recipients of a message of this user's may be due still. */
void lanes_again(struct outpostd *d, uint32_t uid);
void lanes_force(struct outpostd *d, bool on);
bool lanes_forced(const struct outpostd *d);
void lanes_deferred(struct outpostd *d, int64_t row);
void lanes_free(struct outpostd *d);

/* Finds users whose mail has fallen due. Users who have a lane go on where they were. */
void lanes_look(struct outpostd *d);
/* Whether the next look begins from the start, with all that was passed over. */
bool lanes_begin_anew(const struct outpostd *d);
/* The next message of the next user who has one; NULL: there is none, or the queue cannot be read. *undo is the
 * cursor to put back if the message is not taken. */
struct lane *lanes_next(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo);
bool lanes_dry(const struct outpostd *d);	/* all that was due at the last look was seen */
/* Wall us: when something falls due that was not seen; 0: it is; INT64_MAX: never. */
int64_t lanes_due(struct outpostd *d);
/* Why the queue cannot be read, or NULL; when to try again. */
const struct error *lanes_trouble(const struct outpostd *d);
void lanes_forget_trouble(struct outpostd *d);
deadline lanes_retry_at(const struct outpostd *d);

#endif
