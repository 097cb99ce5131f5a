/*
 * room.h: free space that is kept for others. One user's submissions must not fill the disk of everybody's queue, so
 * they are refused while little of it is free. Root, and outpost itself, may use the rest.
 */
#ifndef BASE_ROOM_H
#define BASE_ROOM_H

#include <stdint.h>

#include "base/error.h"

/* How many bytes of a message may go by between two questions. */
enum { ROOM_STEP = 256 << 10 };

/* 0 when a message of which `size` bytes have been stored in the file system of descriptor fd may go on: there is
 * still room for it twice more (the queue's log and the queue), and 5 % of the file system, at most 1 GiB, is free;
 * and 5 % of its inodes. -1 and REASON_STORAGE_FULL when not. */
int room_check(int fd, uint64_t size, struct error *err);
/* The same by a path. */
int room_check_at(const char *path, uint64_t size, struct error *err);

#endif
