#include "config.h"
#include "base/files/spill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"

void spill_init(struct spill *s, const char *dir)
{
	*s = (struct spill){.dir = dir, .fd = -1};
	buf_init(&s->memory, LIMIT_CHUNK);
}

void spill_free(struct spill *s)
{
	buf_free(&s->memory);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Where the file system has no O_TMPFILE: made and unlinked. */
static int open_in(const char *dir)
{
	char path[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || snprintf(path, sizeof(path), "%s/outpostXXXXXX", dir) >= (int)sizeof(path))
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int open_anywhere(void)
{
	/* the last for callers to whom all but /dev is read-only (ProtectSystem=strict) */
	const char *dirs[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (dirs[i] && dirs[i][0] == '/')
			fd = open_in(dirs[i]);
	return fd;
}

static int write_out(struct spill *s, const char *p, size_t n, struct error *err)
{
	const char *where = s->dir ? s->dir : "TMPDIR, /tmp, /var/tmp or /dev/shm";

	if (s->fd < 0)
		s->fd = s->dir ? open_in(s->dir) : open_anywhere();
	if (s->fd < 0)
		return error_sys(err, REASON_STORAGE_FULL, "cannot make a temporary file in %s", where);
	if (io_write_all(s->fd, p, n, DEADLINE_NEVER) < 0)
		return error_sys(err, REASON_STORAGE_FULL, "cannot write the temporary file");
	s->written += n;
	return 0;
}

int spill_add(void *arg, const char *p, size_t n, struct error *err)
{
	struct spill *s = arg;

	if (s->memory.len + n > LIMIT_CHUNK) {
		if (write_out(s, buf_str(&s->memory), s->memory.len, err) < 0)
			return -1;
		buf_reset(&s->memory);
		if (n > LIMIT_CHUNK / 2)
			return write_out(s, p, n, err);
	}
	return buf_add(&s->memory, p, n) < 0 ? error_set(err, REASON_TEMPORARY, "out of memory") : 0;
}

uint64_t spill_size(const struct spill *s)
{
	return s->written + s->memory.len;
}

ssize_t spill_read(const struct spill *s, uint64_t offset, char *p, size_t n, struct error *err)
{
	uint64_t end = offset < s->written ? s->written : spill_size(s), left = offset < end ? end - offset : 0;
	ssize_t got;

	if (n > left)
		n = (size_t)left;
	if (offset < s->written) {
		got = io_pread_full(s->fd, p, n, offset);
		return got > 0 ? got : error_sys(err, REASON_TEMPORARY, "cannot read the temporary file");
	}
	if (n)
		memcpy(p, s->memory.data + (offset - s->written), n);
	return (ssize_t)n;
}
