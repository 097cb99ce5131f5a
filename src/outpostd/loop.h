/* loop.h: what poll waits for. */
#ifndef OUTPOSTD_LOOP_H
#define OUTPOSTD_LOOP_H

#include <poll.h>
#include <stddef.h>

struct watch {
	int fd;
	short events;
	void (*ready)(void *arg, short revents);
	void *arg;
	size_t slot;		/* the loop's own */
};
struct loop {
	struct pollfd *fds;
	struct watch **watches;
	size_t n, cap;
};

int loop_add(struct loop *l, struct watch *w);
void loop_remove(struct loop *l, struct watch *w);	/* any time, also while ready() runs */
void loop_want(struct loop *l, struct watch *w, short events);
int loop_turn(struct loop *l, int timeout_ms);
void loop_free(struct loop *l);

#endif
