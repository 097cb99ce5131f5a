#include "config.h"
#include "base/room.h"

#include <errno.h>
#include <sys/statvfs.h>

enum { KEPT_SHARE = 20 };	/* one of so many */
static const uint64_t KEPT_MAX = 1u << 30;

static int check(const struct statvfs *fs, uint64_t size, struct error *err)
{
	uint64_t unit = fs->f_frsize ? fs->f_frsize : fs->f_bsize;
	uint64_t kept = (uint64_t)fs->f_blocks * unit / KEPT_SHARE, free = (uint64_t)fs->f_bavail * unit;

	if (kept > KEPT_MAX)
		kept = KEPT_MAX;
	if (free < kept)
		return error_set(err, REASON_STORAGE_FULL, "the disk of the queue is nearly full: the last %llu KiB are kept for the system's own mail",
				 (unsigned long long)(kept >> 10));
	if (free / 2 < size)
		return error_set(err, REASON_STORAGE_FULL, "the disk of the queue has no room for this message: it needs twice its size free");
	if (fs->f_files && fs->f_favail < fs->f_files / KEPT_SHARE)
		return error_set(err, REASON_STORAGE_FULL, "the disk of the queue has nearly no free inodes");
	return 0;
}

int room_check(int fd, uint64_t size, struct error *err)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return error_sys(err, REASON_TEMPORARY, "cannot ask for the free space of the queue");
	return check(&fs, size, err);
}

int room_check_at(const char *path, uint64_t size, struct error *err)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return error_sys(err, REASON_TEMPORARY, "cannot ask for the free space of %s", path);
	return check(&fs, size, err);
}
