/*
 * pipe.h: a byte queue whose bytes become readable at a time: the line's delay, without a limit on what is under way.
 */
#ifndef RELAY_PIPE_H
#define RELAY_PIPE_H

#include <stddef.h>
#include <stdint.h>

struct pipe_mark {
	int64_t at;
	size_t n;
};

struct pipe {
	char *data;
	size_t head, tail, cap;
	size_t ready;			/* bytes from head on whose time has come */
	struct pipe_mark *marks;
	size_t first, count, capmarks;
};

/* Appends bytes that may be read from time `at` on; never earlier than what stands before them. */
void pipe_put(struct pipe *p, const void *bytes, size_t n, int64_t at, int64_t now);
size_t pipe_ready(struct pipe *p, int64_t now);
const char *pipe_front(const struct pipe *p);
void pipe_take(struct pipe *p, size_t n);
size_t pipe_held(const struct pipe *p);		/* all bytes, ready or not */
int64_t pipe_next(const struct pipe *p);	/* when more becomes ready; INT64_MAX never */
void pipe_free(struct pipe *p);

#endif
