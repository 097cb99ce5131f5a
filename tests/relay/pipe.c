#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/relay/pipe.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void make_room(struct pipe *p, size_t n)
{
	if (p->cap - p->tail >= n)
		return;
	if (p->head) {
		memmove(p->data, p->data + p->head, p->tail - p->head);
		p->tail -= p->head;
		p->head = 0;
	}
	if (p->cap - p->tail >= n)
		return;
	p->cap = (p->tail + n) * 2 + 4096;
	p->data = must(realloc(p->data, p->cap));
}

static void add_mark(struct pipe *p, int64_t at, size_t n)
{
	if (p->count && p->marks[p->first + p->count - 1].at >= at) {
		p->marks[p->first + p->count - 1].n += n;
		return;
	}
	if (p->first && p->first + p->count == p->capmarks) {
		memmove(p->marks, p->marks + p->first, p->count * sizeof *p->marks);
		p->first = 0;
	}
	if (p->count == p->capmarks) {
		p->capmarks = p->capmarks * 2 + 64;
		p->marks = must(realloc(p->marks, p->capmarks * sizeof *p->marks));
	}
	p->marks[p->first + p->count++] = (struct pipe_mark){.at = at, .n = n};
}

void pipe_put(struct pipe *p, const void *bytes, size_t n, int64_t at, int64_t now)
{
	if (!n)
		return;
	make_room(p, n);
	memcpy(p->data + p->tail, bytes, n);
	p->tail += n;
	if (at <= now && !p->count)
		p->ready += n;
	else
		add_mark(p, at, n);
}

size_t pipe_ready(struct pipe *p, int64_t now)
{
	while (p->count && p->marks[p->first].at <= now) {
		p->ready += p->marks[p->first].n;
		p->first++;
		p->count--;
	}
	if (!p->count)
		p->first = 0;
	return p->ready;
}

const char *pipe_front(const struct pipe *p)
{
	return p->data + p->head;
}

void pipe_take(struct pipe *p, size_t n)
{
	p->head += n;
	p->ready -= n;
	if (p->head == p->tail)
		p->head = p->tail = 0;
}

size_t pipe_held(const struct pipe *p)
{
	return p->tail - p->head;
}

int64_t pipe_next(const struct pipe *p)
{
	return p->count ? p->marks[p->first].at : INT64_MAX;
}

void pipe_free(struct pipe *p)
{
	free(p->data);
	free(p->marks);
	memset(p, 0, sizeof *p);
}
