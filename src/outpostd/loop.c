#include "config.h"
#include "outpostd/loop.h"

#include <errno.h>
#include <stdlib.h>

static int grow(struct loop *l)
{
	size_t cap = l->cap ? l->cap * 2 : 16;
	struct pollfd *fds = realloc(l->fds, cap * sizeof(*fds));
	struct watch **watches;

	if (!fds)
		return -1;
	l->fds = fds;
	watches = realloc(l->watches, cap * sizeof(*watches));
	if (!watches)
		return -1;
	l->watches = watches;
	l->cap = cap;
	return 0;
}

int loop_add(struct loop *l, struct watch *w)
{
	if (l->n == l->cap && grow(l) < 0)
		return -1;
	w->slot = l->n++;
	l->watches[w->slot] = w;
	l->fds[w->slot] = (struct pollfd){.fd = w->fd, .events = w->events};
	return 0;
}

/* The slot stays, empty, until the turn is over: others keep their numbers while they are served. */
void loop_remove(struct loop *l, struct watch *w)
{
	if (w->slot >= l->n || l->watches[w->slot] != w)
		return;
	l->watches[w->slot] = NULL;
	l->fds[w->slot] = (struct pollfd){.fd = -1};
}

void loop_want(struct loop *l, struct watch *w, short events)
{
	w->events = events;
	if (w->slot < l->n && l->watches[w->slot] == w)
		l->fds[w->slot].events = events;
}

static void compact(struct loop *l)
{
	size_t to = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->watches[i])
			continue;
		l->watches[to] = l->watches[i];
		l->fds[to] = l->fds[i];
		l->watches[to]->slot = to;
		to++;
	}
	l->n = to;
}

int loop_turn(struct loop *l, int timeout_ms)
{
	size_t n;
	int ready;

	compact(l);
	n = l->n;
	ready = poll(l->fds, n, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : -1;
	for (size_t i = 0; i < n && ready > 0; i++) {
		short got = l->fds[i].revents;

		if (!got)
			continue;
		ready--;
		if (l->watches[i])
			l->watches[i]->ready(l->watches[i]->arg, got);
	}
	return 0;
}

void loop_free(struct loop *l)
{
	free(l->fds);
	free(l->watches);
	*l = (struct loop){0};
}
