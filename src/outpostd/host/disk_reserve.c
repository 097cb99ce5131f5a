/* disk_reserve.c: the file $queue_directory/reserve. */
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

	if (d->reserve.ready)
		return true;
	if (!deadline_over(d->reserve.again))
		return false;
	reserve_path(d, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	why = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE);
	if (fd >= 0)
		close(fd);
	d->reserve.ready = why != ENOSPC && why != EDQUOT;
	if (d->reserve.ready)
		return true;
	unlink(path);
	d->reserve.again = deadline_in_ms(RETRY_MS);
	housekeeping_soon(d); /* what was sent has left room inside the database */
	return false;
}

bool reserve_use(struct outpostd *d)
{
	char path[1200];

	reserve_path(d, path, sizeof(path));
	d->reserve.ready = false;
	d->reserve.again = deadline_in_ms(RETRY_MS);
	return unlink(path) == 0;
}
