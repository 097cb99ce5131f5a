/*
 * buf.h: one growable byte buffer that gets its ceiling at birth.
 *
 * Contents may hold NUL; data is nevertheless always followed by one NUL byte that len does not
 * count. An append that would pass the ceiling, or finds no memory, changes nothing, returns -1
 * and leaves `failed` set: a run of appends may be checked once, at its end, with buf_ok().
 * A zeroed struct is not a buffer: call buf_init. buf_free may be called twice.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/span.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
	bool starved;	/* and that was for lack of memory: nothing is too long */
	bool borrowed;	/* by buf_over: the memory is the caller's */
};

/* Makes b empty with a ceiling of max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* A buffer in memory of the caller's, with a ceiling of size - 1 bytes. It need not be freed. */
struct buf buf_over(char *memory, size_t size);

/* Frees the memory; b is empty and may be used again with the same ceiling. */
void buf_free(struct buf *b);

/* The same for secrets: what was held is wiped first. (Growing wipes what it moves from as well.) */
void buf_wipe(struct buf *b);

/* Empties b, keeps its memory, clears failed and starved. */
void buf_reset(struct buf *b);

/* Whether every append since the last reset succeeded. */
bool buf_ok(const struct buf *b);

/* Appends. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_add_be(struct buf *b, uint64_t number, size_t n);	/* in n bytes, the high ones first */
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Makes room for at least n more bytes behind len and returns where they start, or NULL. The
 * caller writes there and then adds what it wrote to len, at most n. */
char *buf_room(struct buf *b, size_t n);

/* Removes the first n bytes; n > len removes all. */
void buf_drop(struct buf *b, size_t n);

/* Cuts to n bytes; a larger n changes nothing. */
void buf_cut(struct buf *b, size_t n);

/* The contents as a C string; "" when nothing was ever added. Valid until the next change. */
const char *buf_str(const struct buf *b);
struct span buf_span(const struct buf *b);

#endif
