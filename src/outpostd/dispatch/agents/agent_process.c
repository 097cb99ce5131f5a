/* agent_process.c: an agent's process and its socket; when it is too silent, idle, or has served for long enough. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/io.h"
#include "base/log.h"
#include "base/process/step.h"
#include "nexthop/nexthop.h"

enum {
	AGENT_READ = 65536,
	AGENT_IN_MAX = 4 << 20,
	QUIT_MS = 10000,
	/* How long an agent may say nothing. A name service takes 30 s over a name by its defaults (three servers,
	 * 5 s, twice), and there are at most nine names (MX and their hosts): twice that. From then on twelve signs
	 * of life are missed. */
	LOOK_UP_MS = 600 * 1000,
	SILENT_MS = 12 * SIGN_OF_LIFE * 1000,
	DOUBT_MS = 2 * SIGN_OF_LIFE * 1000,
};

static void agent_ready(void *arg, short revents);

static void agent_free(struct agent *a)
{
	struct outpostd *d = a->d;
	struct agent **p = &d->agents.first;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	credential_forget(a);
	loop_remove(&d->loop, &a->watch);
	close(a->watch.fd);
	buf_free(&a->in);
	buf_wipe(&a->out);
	free(a);
	shutdown_postpone(d);
	schedule_reset(d); /* there is a place now */
}

static void agent_end(struct agent *a)
{
	if (a->pid > 0)
		kill(a->pid, SIGKILL);
	agent_free(a);
}

/* Its socket ended, it talked nonsense, or it hangs. What it had goes back, and if it said no reason that is one. */
static void agent_lost(struct agent *a, const char *why)
{
	struct delivery_down down = {0};

	if (a->state != AGENT_OVER) {
		log_line(LOG_FAIL, "smtp", a->pid, "%s", why);
		delivery_say_down(&down, REASON_CRASHED, "%s", why);
		settle_abandon(a->d, a, &down, true);
		if (a->used == 0)
			relay_went_down(a->d, a->relay, &down, "");
	}
	agent_end(a);
}

/* By us: that is no fault of the relay's or the mail's, which the next one takes up at once. */
static void agent_stopped(struct agent *a)
{
	struct delivery_down down = {0};

	if (a->state != AGENT_OVER) {
		delivery_say_down(&down, REASON_TEMPORARY, "outpostd was stopped");
		settle_abandon(a->d, a, &down, false);
	}
	agent_end(a);
}

/* ---- to the agent */

static int put_session(struct agent *a, struct error *err)
{
	struct delivery_session s;
	struct buf notes;
	int rc;

	buf_init(&notes, 16384);
	rc = nexthop_session(a->d->conf, &a->relay->at, &s, &notes, err);
	if (rc == 0) {
		connections_known(a->d, a->relay, s.known);
		if (delivery_put_session(&a->out, &s) < 0)
			rc = error_set(err, REASON_SYSTEM, "out of memory");
	}
	buf_free(&notes);
	return rc;
}

int agent_start(struct outpostd *d, struct relay *r, struct error *err)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return error_set(err, REASON_SYSTEM, "out of memory");
	a->d = d;
	a->relay = r;
	a->last = &a->first;
	buf_init(&a->in, AGENT_IN_MAX);
	buf_init(&a->out, AGENT_OUT_MAX);
	if (put_session(a, err) < 0)
		goto fail;
	a->pid = nexthop_start_agent(d->lock, &a->watch.fd, err);
	if (a->pid < 0)
		goto fail;
	a->watch = (struct watch){.fd = a->watch.fd, .events = POLLIN, .ready = agent_ready, .arg = a};
	if (loop_add(&d->loop, &a->watch) < 0) {
		error_set(err, REASON_SYSTEM, "out of memory");
		kill(a->pid, SIGKILL);
		close(a->watch.fd);
		goto fail;
	}
	a->since = a->heard = clock_mono_ms();
	a->reuse_limit = (uint64_t)conf_int(d->conf, P_smtp_connection_reuse_count_limit);
	a->reuse_until = deadline_in_ms(conf_seconds(d->conf, P_smtp_connection_reuse_time_limit) * 1000);
	a->next = d->agents.first;
	d->agents.first = a;
	agent_flush(a);
	STEP("agent-started");
	return 0;
fail:
	buf_free(&a->out);
	free(a);
	return -1;
}

/* More of a large body into out. False when none is under way. */
static bool stream(struct agent *a)
{
	for (struct claim *c = a->first; c; c = c->next)
		if (c->streaming) {
			feed_more(a, c);
			return true;
		}
	return false;
}

/* How much the socket took. */
static size_t send_some(struct agent *a)
{
	size_t sent = 0;

	while (sent < a->out.len) {
		ssize_t n = send(a->watch.fd, a->out.data + sent, a->out.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: later. Gone: reading shows it */
		sent += (size_t)n;
	}
	return sent;
}

void agent_flush(struct agent *a)
{
	bool more;

	do {
		more = stream(a);
		buf_drop(&a->out, send_some(a));
	} while (more && a->out.len == 0);
	if (a->out.len == 0 && a->secret) {
		buf_wipe(&a->out);
		a->secret = false;
	}
	loop_want(&a->d->loop, &a->watch, (short)(a->out.len ? POLLIN | POLLOUT : POLLIN));
}

void agent_quit(struct agent *a)
{
	size_t mark;

	if (a->state >= AGENT_QUITTING)
		return;
	if (a->state == AGENT_STARTING) { /* it has no mail, and would hear of it only when the relay has let it in */
		agent_stopped(a);
		return;
	}
	mark = frame_begin(&a->out, TO_AGENT_QUIT);
	frame_finish(&a->out, mark);
	a->state = AGENT_QUITTING;
	a->idle = deadline_in_ms(QUIT_MS);
	agent_flush(a);
}

/* A connection that has served as many messages, or as long, as one may. */
static bool worn_out(const struct agent *a)
{
	return (a->reuse_limit && a->seq >= a->reuse_limit) || deadline_over(a->reuse_until);
}

bool agent_has_room(const struct agent *a)
{
	return a->state == AGENT_READY && a->outstanding < a->d->agents.window && a->out.len < AGENT_FEED &&
		!worn_out(a);
}

/* The claim is the agent's from here on, unless this fails. The caller flushes. */
int agent_give(struct agent *a, struct claim *c)
{
	struct error err = {0};

	c->seq = a->seq + 1;
	c->agent = a;
	if (feed_begin(a, c, &err) < 0) {
		log_line(LOG_FAIL, "qmgr", 0, "%s: cannot be sent: %s", c->m.id, err.text);
		settle_unsendable(a->d, c, &err);
		return -1;
	}
	a->seq++;
	c->next = NULL;
	*a->last = c;
	a->last = &c->next;
	if (a->outstanding++ == 0)
		a->heard = clock_mono_ms();
	journal_add(a->d, c);
	event_active(&c->m, c->sender);
	return 0;
}

/* ---- from the agent */

struct claim *agent_take_claim(struct agent *a)
{
	struct claim *c = a->first;

	if (!c)
		return NULL;
	a->first = c->next;
	if (!a->first)
		a->last = &a->first;
	c->next = NULL;
	a->outstanding--;
	return c;
}

void agent_let_in(struct agent *a, const struct delivery_ready *ready)
{
	if (ready->address[0])
		snprintf(a->where, sizeof(a->where), "%s[%s]:%u", ready->host, ready->address, (unsigned)ready->port);
	else
		snprintf(a->where, sizeof(a->where), "%s:%u", ready->host, (unsigned)ready->port);
	a->state = AGENT_READY;
	a->idle = clock_mono_ms() + a->d->agents.idle_ms;
}

void agent_served(struct agent *a)
{
	a->used++;
	a->idle = clock_mono_ms() + (a->state == AGENT_READY ? a->d->agents.idle_ms : QUIT_MS);
}

void agent_over(struct agent *a)
{
	a->state = AGENT_OVER;
	a->idle = deadline_in_ms(QUIT_MS);
}

/* Its last frames cannot be read: the relay may have any of its messages whole. */
static void agent_unread(struct agent *a, const char *why)
{
	for (struct claim *c = a->first; c; c = c->next)
		if (c->state == CLAIM_GIVEN)
			event_twice(c->m.id, a->pid, a->where, why);
		else
			c->state = CLAIM_LAST_BYTE;
	agent_lost(a, why);
}

static void agent_ready(void *arg, short revents)
{
	struct agent *a = arg;
	char *room = buf_room(&a->in, AGENT_READ);
	ssize_t n;

	(void)revents;
	if (!room) {
		agent_unread(a, "no memory for what the delivery agent says");
		return;
	}
	n = recv(a->watch.fd, room, AGENT_READ, MSG_DONTWAIT);
	if (n > 0) {
		a->in.len += (size_t)n;
		a->heard = clock_mono_ms();
		shutdown_postpone(a->d);
		a->doubt = 0;
		if (!agent_take_frames(a)) {
			agent_unread(a, "the delivery agent sent no valid frame, or there is no memory to read it");
			return;
		}
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		agent_lost(a, "the delivery agent died");
		return;
	}
	agent_flush(a);
}

/* ---- time */

/* It has something to do, so it has to be heard of. */
static bool at_work(const struct agent *a)
{
	return a->outstanding || a->state == AGENT_STARTING;
}

static int64_t silence_ms(const struct agent *a)
{
	return a->alive ? SILENT_MS : LOOK_UP_MS;
}

static deadline agent_deadline(const struct agent *a)
{
	if (!at_work(a))
		return a->idle;
	return a->doubt ? a->doubt : a->heard + silence_ms(a);
}

/* What it was at when it fell silent, and what a person can do about that. */
static void say_silent(const struct agent *a, char *out, size_t size)
{
	const struct relayhost *at = &a->relay->at;
	long long s = (long long)(clock_mono_ms() - a->heard) / 1000;

	if (!a->alive)
		snprintf(out, size,
			 "outpost-smtp was silent for %lld s while looking up %s, and was killed: the name service "
			 "hangs (getent ahosts %s)",
			 s, at->host, at->host);
	else if (a->state == AGENT_STARTING)
		snprintf(out, size,
			 "outpost-smtp was silent for %lld s while connecting to %s, and was killed: was it "
			 "stopped, or does the file system of its certificates hang?",
			 s, at->written);
	else
		snprintf(out, size,
			 "outpost-smtp was silent for %lld s while sending to %s, and was killed: was it stopped?",
			 s, at->written);
}

/* Silent for longer than any agent that works. Where all of us were stopped for a while (a container, a debugger)
 * it gets a moment to say so; and what the disk kept us from reading counts as said. */
static void agent_silent(struct agent *a)
{
	char why[700];

	if (!a->doubt) {
		a->doubt = deadline_in_ms(DOUBT_MS);
		return;
	}
	if (io_wait(a->watch.fd, POLLIN, 0) != 0)
		return;
	say_silent(a, why, sizeof(why));
	agent_lost(a, why);
}

deadline agents_deadline(struct outpostd *d)
{
	deadline first = DEADLINE_NEVER;

	for (const struct agent *a = d->agents.first; a; a = a->next)
		first = deadline_first(first, agent_deadline(a));
	return first;
}

void agents_tick(struct outpostd *d)
{
	struct agent *next;

	for (struct agent *a = d->agents.first; a; a = next) {
		next = a->next;
		if (worn_out(a) && !a->outstanding && a->state == AGENT_READY)
			agent_quit(a);
		if (!deadline_over(agent_deadline(a)))
			continue;
		if (at_work(a))
			agent_silent(a);
		else if (a->state == AGENT_READY)
			agent_quit(a);
		else
			agent_lost(a, "the delivery agent did not leave");
	}
}

void agents_reap(struct outpostd *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		listener_reaped(d, pid);
		for (struct agent *a = d->agents.first; a; a = a->next)
			if (a->pid == pid)
				a->pid = 0; /* its socket shows the rest */
	}
}

void agents_stop(struct outpostd *d, bool now)
{
	struct agent *next;

	for (struct agent *a = d->agents.first; a; a = next) {
		next = a->next;
		if (now)
			agent_stopped(a);
		else
			agent_quit(a);
	}
}

size_t agents_count(const struct outpostd *d)
{
	size_t n = 0;

	for (const struct agent *a = d->agents.first; a; a = a->next)
		n++;
	return n;
}

bool agent_starts(const struct outpostd *d, const struct relay *r)
{
	for (const struct agent *a = d->agents.first; a; a = a->next)
		if ((!r || a->relay == r) && a->state == AGENT_STARTING)
			return true;
	return false;
}

void agents_configure(struct outpostd *d)
{
	int64_t window = conf_int(d->conf, P_smtp_pipeline_window);

	/* As many again as may be in flight: an agent must not run dry while verdicts are stored. */
	d->agents.window = window < 2 ? 2 : (size_t)window * 2;
	d->agents.idle_ms = conf_seconds(d->conf, P_agent_idle_time) * 1000;
}
