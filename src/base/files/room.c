#include "config.h"
#include "base/files/room.h"

#include <sys/statvfs.h>

enum { KEPT_SHARE = 20, TIGHT = 4 };	/* one of so many; so many times what is kept */
static const uint64_t KEPT_MAX = 1u << 30;

static int take(int rc, const struct statvfs *fs, struct room *r, struct error *err)
{
	uint64_t unit = fs->f_frsize ? fs->f_frsize : fs->f_bsize;

	if (rc < 0)
		return error_sys(err, REASON_TEMPORARY, "cannot ask for the free space of the queue");
	r->free = (uint64_t)fs->f_bavail * unit;
	r->kept = (uint64_t)fs->f_blocks * unit / KEPT_SHARE;
	if (r->kept > KEPT_MAX)
		r->kept = KEPT_MAX;
	r->free_inodes = fs->f_favail;
	r->kept_inodes = fs->f_files / KEPT_SHARE;
	return 0;
}

int room_look(int fd, struct room *r, struct error *err)
{
	struct statvfs fs = {0};

	return take(fstatvfs(fd, &fs), &fs, r, err);
}

int room_look_at(const char *path, struct room *r, struct error *err)
{
	struct statvfs fs = {0};

	return take(statvfs(path, &fs), &fs, r, err);
}

bool room_is_tight(const struct room *r)
{
	return r->free < r->kept * TIGHT || r->free_inodes < r->kept_inodes * TIGHT;
}

int room_check(const struct room *r, uint64_t size, const struct room_held *held, struct error *err)
{
	static const struct room_held nothing;
	const struct room_held *h = held ? held : &nothing;

	if (r->free < r->kept || r->free_inodes < r->kept_inodes)
		return error_set(err, REASON_STORAGE_FULL,
				 "the disk of the queue is nearly full: the last %s are kept for root's mail",
				 r->free < r->kept ? "5 %" : "5 % of its inodes");
	if (r->free / 2 < size)
		return error_set(err, REASON_STORAGE_FULL,
				 "the disk of the queue has no room for this message: it needs twice its size free");
	if (h->bytes > r->free - r->kept || (r->kept_inodes && h->files > r->free_inodes - r->kept_inodes))
		return error_set(err, REASON_STORAGE_FULL,
				 "the disk of the queue is nearly full, and the rest is for users who have less in it");
	return 0;
}
