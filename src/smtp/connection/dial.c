#include "config.h"
#include "smtp/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_START = 1000 };	/* ms before the next address is tried as well */

struct race {
	struct agent *a;
	struct endpoints *e;
	struct pollfd fd[ENDPOINTS];	/* parallel to e->list; -1: not under way */
	deadline until[ENDPOINTS];
	deadline next;			/* when one more may be started */
	unsigned running;
	unsigned group;			/* of those running */
	int last_errno;
	bool all_local;			/* every failure was our own network's */
};

bool dial_more(const struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!e->list[i].tried)
			return true;
	return false;
}

static bool local_trouble(int why)
{
	return why == ENETUNREACH || why == EPERM || why == EACCES || why == EADDRNOTAVAIL || why == EAFNOSUPPORT ||
	       why == ENETDOWN || why == EMFILE || why == ENFILE || why == ENOBUFS;
}

static enum reason reason_of(const struct race *r)
{
	if (r->all_local)
		return REASON_NETWORK_LOCAL;
	return r->last_errno == ECONNREFUSED ? REASON_CONNECT_REFUSED :
	       r->last_errno == ETIMEDOUT ? REASON_CONNECT_TIMEOUT : REASON_CONNECT_FAILED;
}

static void note_where(struct race *r, const struct endpoint *p)
{
	struct delivery_ready *ready = &r->a->ready;

	snprintf(ready->host, sizeof(ready->host), "%s", p->host);
	snprintf(ready->address, sizeof(ready->address), "%s", p->address);
	ready->port = r->e->port;
}

static void failed(struct race *r, size_t i, int why)
{
	const struct endpoint *p = &r->e->list[i];

	if (r->fd[i].fd >= 0) {
		close(r->fd[i].fd);
		r->fd[i].fd = -1;
		r->running--;
	}
	r->last_errno = why;
	r->all_local = r->all_local && local_trouble(why);
	note_where(r, p);
	link_log(&r->a->link, LOG_INFORMATION, "connect to %s[%s]:%u: %s", p->host, p->address, r->e->port,
		 strerror(why));
	r->next = 0;
}

static int bind_source(struct agent *a, int fd, int family)
{
	const char *from = family == AF_INET6 ? a->set.bind6 : a->set.bind4;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};

	if (!from[0])
		return 0;
	if (family == AF_INET6 && inet_pton(AF_INET6, from, &six.sin6_addr) == 1)
		return bind(fd, (struct sockaddr *)&six, sizeof(six));
	if (family == AF_INET && inet_pton(AF_INET, from, &four.sin_addr) == 1)
		return bind(fd, (struct sockaddr *)&four, sizeof(four));
	errno = EADDRNOTAVAIL;
	return -1;
}

static void start(struct race *r, size_t i)
{
	struct endpoint *p = &r->e->list[i];
	int fd = socket(p->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	p->tried = true;
	r->group = p->group;
	r->next = deadline_in_ms(HEAD_START);
	if (fd < 0) {
		failed(r, i, errno);
		return;
	}
	r->fd[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
	r->until[i] = deadline_in_ms((int64_t)r->a->set.t_connect * 1000);
	r->running++;
	if (bind_source(r->a, fd, p->sa.ss_family) < 0 ||
	    (connect(fd, (struct sockaddr *)&p->sa, p->len) < 0 && errno != EINPROGRESS))
		failed(r, i, errno);
}

/* One more, if it is time, and its preference has come. */
static bool start_next(struct race *r)
{
	if (r->running && !deadline_over(r->next))
		return false;
	for (size_t i = 0; i < r->e->n; i++) {
		if (r->e->list[i].tried)
			continue;
		if (r->running && r->e->list[i].group != r->group)
			break;
		start(r, i);
		return true;
	}
	r->next = DEADLINE_NEVER;
	return false;
}

static deadline soonest(const struct race *r)
{
	deadline d = r->next;

	for (size_t i = 0; i < r->e->n; i++)
		if (r->fd[i].fd >= 0)
			d = deadline_first(d, r->until[i]);
	return d;
}

/* The index of a connection that stands, or -1. */
static int look(struct race *r)
{
	for (size_t i = 0; i < r->e->n; i++) {
		int why = 0;
		socklen_t len = sizeof(why);

		if (r->fd[i].fd < 0)
			continue;
		if (!r->fd[i].revents) {
			if (deadline_over(r->until[i]))
				failed(r, i, ETIMEDOUT);
			continue;
		}
		if (getsockopt(r->fd[i].fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
			why = errno;
		if (!why)
			return (int)i;
		failed(r, i, why);
	}
	return -1;
}

static int won(struct race *r, size_t i)
{
	int fd = r->fd[i].fd;

	r->fd[i].fd = -1;
	note_where(r, &r->e->list[i]);
	return channel_open(&r->a->ch, fd);
}

static int run(struct race *r)
{
	struct agent *a = r->a;
	int winner;

	for (;;) {
		struct error err;
		deadline sign;

		while (start_next(r))
			;
		if (!r->running)
			return agent_down(a, reason_of(r), "connect to %s:%u: %s", agent_peer(a), r->e->port,
					  strerror(r->last_errno));
		if (trust_load(&a->trust, &a->set, &err) < 0)
			return agent_down(a, err.reason, "%s", err.text);
		sign = agent_sign(a);
		if (link_flush(&a->link) < 0)
			return agent_down(a, REASON_TEMPORARY, "outpostd is gone");
		if (poll(r->fd, r->e->n, deadline_poll(deadline_first(soonest(r), sign))) < 0 && errno != EINTR)
			return agent_down(a, REASON_SYSTEM, "poll: %s", strerror(errno));
		winner = look(r);
		if (winner >= 0)
			return won(r, (size_t)winner);
	}
}

int dial(struct agent *a, struct endpoints *e)
{
	struct race r = {.a = a, .e = e, .all_local = true};
	int rc;

	for (size_t i = 0; i < ENDPOINTS; i++)
		r.fd[i].fd = -1;
	rc = run(&r);
	for (size_t i = 0; i < ENDPOINTS; i++)
		if (r.fd[i].fd >= 0) {
			close(r.fd[i].fd);
			e->list[i].tried = false;	/* it lost the race; it did not fail */
		}
	return rc;
}
