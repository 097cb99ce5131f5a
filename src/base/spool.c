#include "config.h"
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"

void spool_init(struct spool *s, const char *dir)
{
	buf_init(&s->memory, LIMIT_CHUNK);
	s->fd = -1;
	s->written = 0;
	s->dir = dir;
}

void spool_free(struct spool *s)
{
	buf_free(&s->memory);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void spool_reset(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->written = 0;
	buf_reset(&s->memory);
}

static int open_in(const char *dir)
{
	char path[4096];
	int fd;

#ifdef O_TMPFILE
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
#endif
	if (snprintf(path, sizeof(path), "%s/outpostXXXXXX", dir) >= (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int open_file(const struct spool *s, struct error *err)
{
	/* the last for callers to whom all but /dev is read-only (ProtectSystem=strict) */
	const char *dirs[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};

	if (s->dir) {
		int fd = open_in(s->dir);

		return fd >= 0 ? fd : error_sys(err, REASON_STORAGE_FULL, "cannot write to %s", s->dir);
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = dirs[i] && dirs[i][0] == '/' ? open_in(dirs[i]) : -1;

		if (fd >= 0)
			return fd;
	}
	return error_sys(err, REASON_STORAGE_FULL, "cannot make a temporary file in TMPDIR, /tmp, /var/tmp or /dev/shm");
}

static int write_out(struct spool *s, const char *p, size_t n, struct error *err)
{
	if (s->fd < 0)
		s->fd = open_file(s, err);
	if (s->fd < 0)
		return -1;
	if (io_write_all(s->fd, p, n, DEADLINE_NEVER) < 0)
		return error_sys(err, REASON_STORAGE_FULL, "cannot write %s%s", s->dir ? "to " : "the temporary file", s->dir ? s->dir : "");
	s->written += n;
	return 0;
}

int spool_add(struct spool *s, const char *p, size_t n, struct error *err)
{
	if (s->memory.len + n <= LIMIT_CHUNK)
		return buf_add(&s->memory, p, n) < 0 ? error_set(err, REASON_TEMPORARY, "out of memory") : 0;
	if (write_out(s, buf_str(&s->memory), s->memory.len, err) < 0)
		return -1;
	buf_reset(&s->memory);
	if (n > LIMIT_CHUNK / 2)
		return write_out(s, p, n, err);
	return buf_add(&s->memory, p, n) < 0 ? error_set(err, REASON_TEMPORARY, "out of memory") : 0;
}

uint64_t spool_size(const struct spool *s)
{
	return s->written + s->memory.len;
}

ssize_t spool_read(const struct spool *s, uint64_t offset, char *p, size_t n, struct error *err)
{
	uint64_t left;
	ssize_t got;

	if (offset < s->written) {
		if (n > s->written - offset)
			n = (size_t)(s->written - offset);
		got = io_pread_full(s->fd, p, n, offset);
		return got > 0 ? got : error_sys(err, REASON_TEMPORARY, "cannot read the temporary file");
	}
	offset -= s->written;
	left = offset < s->memory.len ? s->memory.len - offset : 0;
	if (n > left)
		n = (size_t)left;
	if (n)
		memcpy(p, s->memory.data + offset, n);
	return (ssize_t)n;
}
