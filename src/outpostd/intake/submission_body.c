#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

void body_init(struct body *b, const char *dir)
{
	memset(b, 0, sizeof(*b));
	buf_init(&b->memory, BODY_IN_MEMORY);
	b->fd = -1;
	b->dir = dir;
}

void body_free(struct body *b)
{
	buf_free(&b->memory);
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

/* A file without a name, in the queue's own file system. Where that can't do O_TMPFILE: made and unlinked. */
static int nameless_file(const char *dir)
{
	char path[1100];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(path, sizeof(path), "%s/body.XXXXXX", dir) >= (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int body_spill(struct body *b)
{
	b->fd = nameless_file(b->dir);
	if (b->fd < 0)
		return -1;
	if (io_write_all(b->fd, b->memory.data, b->memory.len, DEADLINE_NEVER) < 0)
		return -1;
	buf_free(&b->memory);
	return 0;
}

int body_add(void *arg, const char *p, size_t n, struct error *err)
{
	struct body *b = arg;

	if (b->fd < 0 && b->memory.len + n <= BODY_IN_MEMORY) {
		if (buf_add(&b->memory, p, n) < 0)
			return error_set(err, REASON_TEMPORARY, "no memory");
	} else if ((b->fd < 0 && body_spill(b) < 0) || io_write_all(b->fd, p, n, DEADLINE_NEVER) < 0) {
		return error_sys(err, REASON_STORAGE_FULL, "cannot write to %s", b->dir);
	}
	b->size += n;
	return 0;
}

void body_rewind(struct body *b)
{
	b->read = 0;
}

long body_read(void *arg, char *p, size_t n, struct error *err)
{
	struct body *b = arg;
	ssize_t got;

	if (n > b->size - b->read)
		n = (size_t)(b->size - b->read);
	if (n == 0)
		return 0;
	if (b->fd < 0) {
		memcpy(p, b->memory.data + b->read, n);
		got = (ssize_t)n;
	} else {
		got = io_pread_full(b->fd, p, n, b->read);
		if (got <= 0)
			return error_sys(err, REASON_TEMPORARY, "cannot read back what was received");
	}
	b->read += (uint64_t)got;
	return got;
}
