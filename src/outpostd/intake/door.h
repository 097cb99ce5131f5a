/*
 * door.h: the listening sockets, and who is let in. Whoever may connect may submit; nobody may make another wait. A
 * person has so many clients served at a time; more wait in a line of that person's own, and those beyond are turned
 * away with 75.
 */
#ifndef OUTPOSTD_DOOR_H
#define OUTPOSTD_DOOR_H

#include "outpostd/parts.h"

struct door {
	struct watch door, admin;
	struct waiting *waiting;	/* accepted, not looked at yet */
	size_t nwaiting, per_person;
	deadline accept_retry_at;	/* no descriptors: accept again then */
	bool ours;			/* we made the door's socket (and remove it) */
	bool managed;			/* the service manager passed it */
	const struct error *refusal;	/* for everybody; NULL: clients are served */
	char path[1024], admin_path[1024];
};

int door_open(struct outpostd *d, struct error *err);
/* When outpostd cannot start: gives the reason to all clients that wait at a door which the service manager keeps. */
void door_turn_away(struct outpostd *d, const struct error *why);
void door_unname(struct outpostd *d);		/* no new client finds it */
bool door_serving(struct outpostd *d);		/* a client is here, or was in time to be let in */
void door_close(struct outpostd *d);
void door_hang_up(struct outpostd *d);		/* all clients go */
deadline door_deadline(struct outpostd *d);
void door_tick(struct outpostd *d);
bool door_has_waiting(const struct outpostd *d, uid_t person);
bool door_is_quiet(const struct outpostd *d);	/* no client is served or waits */
/* Where the administrator's socket of a queue is; NULL when it does not fit into buf. */
const char *door_admin_path(const char *queue_dir, char *buf, size_t size);

#endif
