/*
 * spool.h: bytes that are kept until they are needed: in memory up to 64 KiB, then in an unlinked temporary file.
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct spool {
	struct buf memory;	/* all of it, or what is not written yet */
	int fd;			/* -1: all in memory */
	uint64_t written;	/* bytes in the file */
	const char *dir;
};

/* dir: where the file is made; must outlive s. NULL: TMPDIR, or where temporary files usually go. */
void spool_init(struct spool *s, const char *dir);
void spool_free(struct spool *s);
/* Empties it for the next message; the file is closed. */
void spool_reset(struct spool *s);

/* EX_TEMPFAIL 4.3.1 when there is no room. */
int spool_add(struct spool *s, const char *p, size_t n, struct error *err);
uint64_t spool_size(const struct spool *s);
/* Bytes from offset: how many, 0 at the end, -1. */
ssize_t spool_read(const struct spool *s, uint64_t offset, char *p, size_t n, struct error *err);

#endif
