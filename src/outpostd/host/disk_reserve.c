/*
 * disk_reserve.c: a little of the disk kept back for verdicts. Storing that a message was sent takes space for a
 * moment, even though it frees more; on a full disk it would fail after the relay has the message, and the message
 * would go out twice. So a file of some size stands by, is removed when a commit of verdicts fails, and until there is
 * room for it again nothing is accepted.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

enum { RESERVE = 256 << 10, RETRY_MS = 1000 };

static void reserve_path(const struct outpostd *d, char *buf, size_t size)
{
	snprintf(buf, size, "%s/reserve", d->queue_dir);
}

/* Whether it stands by (again). Only a full disk counts as missing: a file system without posix_fallocate does not. */
bool reserve_ready(struct outpostd *d)
{
	char path[1200];
	int fd, why;

	if (d->reserved)
		return true;
	if (!deadline_over(d->reserve_again))
		return false;
	reserve_path(d, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	why = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE);
	if (fd >= 0)
		close(fd);
	d->reserved = why != ENOSPC && why != EDQUOT;
	if (d->reserved)
		return true;
	unlink(path);
	d->reserve_again = deadline_in_ms(RETRY_MS);
	d->upkeep = clock_mono_ms(); /* what was sent has left room inside the database */
	return false;
}

/* Frees it; false when there was nothing to free. */
bool reserve_use(struct outpostd *d)
{
	char path[1200];

	reserve_path(d, path, sizeof(path));
	d->reserved = false;
	d->reserve_again = deadline_in_ms(RETRY_MS);
	return unlink(path) == 0;
}
