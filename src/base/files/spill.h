/*
 * spill.h: bytes that are kept until they are needed: in memory up to 64 KiB, then in a temporary file without a name.
 */
#ifndef BASE_SPILL_H
#define BASE_SPILL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct spill {
	struct buf memory;	/* all of it, or what is not written yet */
	const char *dir;	/* of the file; NULL: TMPDIR, /tmp, /var/tmp or /dev/shm */
	int fd;			/* -1: all in memory */
	uint64_t written;	/* bytes in the file */
};

void spill_init(struct spill *s, const char *dir);	/* dir is not copied */
void spill_free(struct spill *s);

/* REASON_STORAGE_FULL when there is no room. arg is a struct spill. */
int spill_add(void *arg, const char *p, size_t n, struct error *err);
uint64_t spill_size(const struct spill *s);
/* Bytes from offset: how many, 0 at the end, -1. */
ssize_t spill_read(const struct spill *s, uint64_t offset, char *p, size_t n, struct error *err);

#endif
