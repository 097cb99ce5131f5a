/*
 * room.h: free space that is kept for others. One user's submissions must not fill the disk of everybody's queue. Root,
 * and outpost itself, may use all of it.
 */
#ifndef BASE_ROOM_H
#define BASE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* How many bytes of a message may go by between two looks. */
enum { ROOM_STEP = 256 << 10 };

/* A file system as others than root have it. What is kept is 5 % of it, and of its inodes; at most 1 GiB. */
struct room {
	uint64_t free, kept;			/* bytes */
	uint64_t free_inodes, kept_inodes;	/* kept_inodes 0: they are not counted here */
};

/* What one person has in the queue. */
struct room_held {
	uint64_t bytes, files;
};

/* How it is now, by a descriptor or a path. -1: it cannot be said. */
int room_look(int fd, struct room *r, struct error *err);
int room_look_at(const char *path, struct room *r, struct error *err);

/* Whether so little is free that it matters what a person has in the queue already. */
bool room_is_tight(const struct room *r);

/*
 * 0 when a message of which `size` bytes have been stored may go on: more than what is kept is free; there is room for
 * it twice more (the database's log and the database); and the person has no more in the queue already than is still
 * free for others, so that whoever has nothing there finds room however much one person sends. held NULL: not tight.
 * -1 and REASON_STORAGE_FULL when not.
 */
int room_check(const struct room *r, uint64_t size, const struct room_held *held, struct error *err);

#endif
