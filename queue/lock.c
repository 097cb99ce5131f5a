#include "config.h"
#include "queue/db.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/files/fs.h"

static int take(int fd, deadline until)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (deadline_over(until)) {
			errno = EWOULDBLOCK;
			return -1;
		}
		poll(NULL, 0, 10);
	}
	return 0;
}

bool lock_is_at(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

static int open_and_take(const char *dir, const char *path, deadline until, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0)
		return error_sys(err, errno == EACCES ? REASON_PERMISSION : REASON_CANNOT_CREATE,
				 "cannot open the lock %s", path);
	if (take(fd, until) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		error_set(err, REASON_FLUSHER_BUSY, "a flusher is at work in %s", dir);
	else
		error_sys(err, REASON_SYSTEM, "cannot lock %s", path);
	close(fd);
	return -1;
}

int queue_lock(const char *dir, int64_t wait_ms, struct error *err)
{
	deadline until = deadline_in_ms(wait_ms > 0 ? wait_ms : 0);
	char path[4096];
	int fd;

	if (fs_check(dir, err) < 0)
		return -1;
	if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path))
		return error_set(err, REASON_CONFIG, "the name of the queue directory is too long");
	for (;;) {
		fd = open_and_take(dir, path, until, err);
		if (fd < 0 || lock_is_at(fd, path) || deadline_over(until))
			return fd;
		close(fd); /* it was removed while we waited for it, and keeps nobody out */
	}
}
