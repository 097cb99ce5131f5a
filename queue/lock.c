#include "config.h"
#include "queue/db.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/deadline.h"

/* Locks and shared memory across these are promises that are not kept. */
static const struct {
	unsigned long type;
	const char *name;
} refused[] = {
	{0x6969, "NFS"},	   {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB"}, {0x517B, "SMB"},	    {0x01021997, "9p"},
	{0x65735546, "FUSE"},	   {0x5346414F, "AFS"},	 {0x6B414653, "AFS"}, {0x73757245, "Coda"}, {0x00C36400, "Ceph"},
	{0x0BD00BD0, "Lustre"},	   {0x7461636F, "OCFS2"}, {0x564C, "NCP"},
};

const char *queue_refused_fs(unsigned long f_type)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].type == (f_type & 0xFFFFFFFFUL))
			return refused[i].name;
	return NULL;
}

static int check_fs(const char *dir, struct error *err)
{
	struct statfs fs;
	const char *name;

	if (statfs(dir, &fs) < 0)
		return error_sys(err, EX_UNAVAILABLE, "4.3.0", "queue directory %s", dir);
	name = queue_refused_fs((unsigned long)fs.f_type);
	if (!name)
		return 0;
	return error_set(err, EX_CONFIG, "4.3.0",
			 "queue directory %s is on %s, where a queue can lose mail: set queue_directory to a local disk", dir,
			 name);
}

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

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int open_and_take(const char *dir, const char *path, deadline until, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0)
		return error_sys(err, errno == EACCES ? EX_NOPERM : EX_CANTCREAT, "4.3.0", "cannot open the lock %s", path);
	if (take(fd, until) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		error_set(err, EX_TEMPFAIL, "4.3.0", "a flusher is at work in %s", dir);
	else
		error_sys(err, EX_OSERR, "4.3.0", "cannot lock %s", path);
	close(fd);
	return -1;
}

int queue_lock(const char *dir, int64_t wait_ms, struct error *err)
{
	deadline until = deadline_in_ms(wait_ms > 0 ? wait_ms : 0);
	char path[4096];
	int fd;

	if (check_fs(dir, err) < 0)
		return -1;
	if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path))
		return error_set(err, EX_CONFIG, "4.3.0", "the name of the queue directory is too long");
	for (;;) {
		fd = open_and_take(dir, path, until, err);
		if (fd < 0 || lock_is_at(fd, path) || deadline_over(until))
			return fd;
		close(fd); /* it was removed while we waited for it, and keeps nobody out */
	}
}
