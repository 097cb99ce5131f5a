#include "config.h"
#include "base/io.h"
#include "base/text/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#ifdef HAVE_LINUX_CLOSE_RANGE_H
#include <linux/close_range.h>
#include <sys/syscall.h>
#endif

int io_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return -1;
	}
	return 0;
}

static void close_each(int first)
{
	DIR *d = opendir("/proc/self/fd");
	long max = sysconf(_SC_OPEN_MAX);
	struct dirent *e;

	if (!d) {
		for (int fd = first; fd < (max > 0 && max < 65536 ? max : 65536); fd++)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		struct span name = span_of(e->d_name);
		uint64_t fd;

		if (text_u64(name, 1u << 30, &fd) && (int)fd >= first && (int)fd != dirfd(d))
			close((int)fd);
	}
	closedir(d);
}

void io_close_from(int first)
{
#if defined(HAVE_LINUX_CLOSE_RANGE_H) && defined(SYS_close_range)
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
		return;
#endif
	close_each(first);
}

int io_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int io_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int io_wait(int fd, short events, deadline until)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int n = poll(&p, 1, deadline_poll(until));

		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return -1;
		if (deadline_over(until))
			return 0;
	}
}

int io_write_all(int fd, const void *p, size_t n, deadline until)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN) {
			int ready = io_wait(fd, POLLOUT, until);

			if (ready > 0)
				continue;
			if (ready == 0)
				errno = ETIMEDOUT;
			return -1;
		}
		if (done < 0)
			return -1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

ssize_t io_read(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* From at, or from where the descriptor stands. */
static ssize_t read_full(int fd, void *p, size_t n, const uint64_t *at)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = at ? pread(fd, (char *)p + have, n - have, (off_t)(*at + have))
				 : read(fd, (char *)p + have, n - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

ssize_t io_read_full(int fd, void *p, size_t n)
{
	return read_full(fd, p, n, NULL);
}

ssize_t io_pread_full(int fd, void *p, size_t n, uint64_t at)
{
	return read_full(fd, p, n, &at);
}

int io_read_to_end(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		char piece[8192];
		ssize_t got = io_read(fd, piece, sizeof(piece));

		if (got < 0)
			return error_sys(err, REASON_IO, "cannot read %s", path);
		if (got == 0)
			return 0;
		if (buf_add(out, piece, (size_t)got) < 0 && (size_t)got <= out->max - out->len)
			return error_set(err, REASON_SYSTEM, "no memory for %s", path);
		if (!buf_ok(out))
			return error_set(err, REASON_DATA, "%s is larger than %zu bytes", path, out->max);
		explicit_bzero(piece, (size_t)got);
	}
}

enum reason io_reason_of_open(void)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		return REASON_SYSTEM;
	return errno == EACCES ? REASON_PERMISSION : REASON_NO_INPUT;
}

int io_read_file(const char *path, bool nofollow, struct buf *out, struct stat *st, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (nofollow ? O_NOFOLLOW : 0));
	struct stat mine;
	int rc;

	if (fd < 0)
		return error_sys(err, io_reason_of_open(), "cannot open %s", path);
	if (fstat(fd, &mine) < 0)
		rc = error_sys(err, REASON_IO, "cannot stat %s", path);
	else if (!S_ISREG(mine.st_mode))
		rc = error_set(err, REASON_NO_INPUT, "%s is %s, and a file is wanted", path,
			       S_ISDIR(mine.st_mode) ? "a directory" : "not a regular file");
	else
		rc = io_read_to_end(fd, path, out, err);
	if (rc == 0 && st)
		*st = mine;
	close(fd);
	return rc;
}

static int write_and_sync(int fd, const char *path, const void *p, size_t n, mode_t mode, struct error *err)
{
	struct stat old;

	if (lstat(path, &old) == 0) {
		if (!S_ISREG(old.st_mode))
			return error_set(err, REASON_CANNOT_CREATE, "%s is not a regular file; it was left as it is",
					 path);
		mode = old.st_mode & 07777;
		if (fchown(fd, old.st_uid, old.st_gid) < 0 && errno != EPERM)
			return error_sys(err, REASON_CANNOT_CREATE, "cannot set the owner of the new %s", path);
	}
	if (fchmod(fd, mode) < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot set the mode of the new %s", path);
	if (io_write_all(fd, p, n, DEADLINE_NEVER) < 0 || fsync(fd) < 0)
		return error_sys(err, REASON_IO, "cannot write the new %s", path);
	return 0;
}

static int sync_parent(const char *path)
{
	char dir[4096];
	char *slash;
	size_t n;

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return io_sync(".");
	slash[slash == dir ? 1 : 0] = '\0';
	return io_sync(dir);
}

int io_make_dir(const char *path)
{
	int why;

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	if (sync_parent(path) == 0)
		return 0;
	why = errno;
	rmdir(path);	/* nobody would sync it later */
	errno = why;
	return -1;
}

int io_replace_file(const char *path, const void *p, size_t n, mode_t mode, struct error *err)
{
	char tmp[4096];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return error_set(err, REASON_CANNOT_CREATE, "the path %s is too long", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot make a file beside %s", path);
	rc = write_and_sync(fd, path, p, n, mode, err);
	if (close(fd) < 0 && rc == 0)
		rc = error_sys(err, REASON_IO, "cannot close the new %s", path);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = error_sys(err, REASON_CANNOT_CREATE, "cannot rename the new %s into place", path);
	if (rc < 0) {
		unlink(tmp);
		return -1;
	}
	if (sync_parent(path) < 0)
		return error_sys(err, REASON_IO, "cannot sync the directory of %s", path);
	return 0;
}

int io_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	if (close(fd) < 0)
		return -1;
	return rc;
}

const char *io_program_path(const char *name, const char *installed_dir, char *buf, size_t size)
{
	char self[4096];
	ssize_t n = getauxval(AT_SECURE) ? -1 : readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash && snprintf(buf, size, "%.*s/%s", (int)(slash - self), self, name) < (int)size &&
		    access(buf, X_OK) == 0)
			return buf;
	}
	return snprintf(buf, size, "%s/%s", installed_dir, name) < (int)size ? buf : NULL;
}

bool io_changed(const char *path, const struct stat *was)
{
	struct stat now;

	if (stat(path, &now) < 0)
		now = (struct stat){0};
	return now.st_dev != was->st_dev || now.st_ino != was->st_ino || now.st_size != was->st_size ||
	       now.st_mtim.tv_sec != was->st_mtim.tv_sec || now.st_mtim.tv_nsec != was->st_mtim.tv_nsec ||
	       now.st_ctim.tv_sec != was->st_ctim.tv_sec || now.st_ctim.tv_nsec != was->st_ctim.tv_nsec;
}
