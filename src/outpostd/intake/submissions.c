/* submissions.c: many at once do not pay for a sync each, and one alone does not wait. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/step.h"

enum {
	GATHER_MS = 2,		/* a commit waits this long for submissions on their way ... */
	GATHER_MAX = 64,	/* ... unless so many are complete */
	GROUP_MS = 4,		/* and for as many as the last one served, */
	GROUP_MAX = 8,		/* or so many, */
	GROUP_LASTS_MS = 30,	/* if that was no longer ago */
	LARGE = 1 << 20,	/* bytes: one like this has a transaction of its own, after the others */
};

void submission_complete(struct client *c)
{
	struct submissions *s = &c->d->submissions;

	STEP("door-complete");
	c->complete = c->put = true;
	c->ready = NULL;
	if (!s->ready)
		s->end = &s->ready;
	*s->end = c;
	s->end = &c->ready;
	if (s->n++ == 0)
		s->since = clock_mono_ms();
	/* Nothing more is expected of it; hanging up now does not take the submission back. */
	loop_want(&c->d->loop, &c->watch, 0);
}

/* Takes the one that *p leads to from the list. */
static void unlink_at(struct submissions *s, struct client **p)
{
	(*p)->complete = false;
	*p = (*p)->ready;
	if (!*p)
		s->end = p;
	s->n--;
}

void submission_withdraw(struct client *c)
{
	struct client **p = &c->d->submissions.ready;

	if (!c->complete)
		return;
	while (*p != c)
		p = &(*p)->ready;
	unlink_at(&c->d->submissions, p);
}

/* Clients that were served together come back together: for as many as the last commit served, if that was just
 * now, this one waits. */
static bool group_is_coming(const struct submissions *s, int64_t now)
{
	return s->n < s->group && now - s->grouped < GROUP_LASTS_MS && now - s->since < GROUP_MS;
}

bool submissions_gather(struct outpostd *d)
{
	const struct submissions *s = &d->submissions;
	int64_t now = clock_mono_ms();

	if (group_is_coming(s, now))
		return true;
	return s->n < GATHER_MAX && now - s->since < GATHER_MS && clients_are_sending(d, now);
}

static long read_body(void *arg, char *p, size_t n, struct error *err)
{
	struct client *c = arg;
	ssize_t got = spill_read(&c->body, c->offset, p, n, err);

	if (got > 0)
		c->offset += (uint64_t)got;
	return got;
}

/* Those that are not large, else the first: on a full disk a large one would undo what the others wrote. */
static void choose(struct submissions *all)
{
	size_t n = 0;

	for (struct client *c = all->ready; c; c = c->ready) {
		c->put = spill_size(&c->body) < LARGE;
		n += c->put;
	}
	if (!n && all->ready)
		all->ready->put = true;
}

void submissions_write(struct outpostd *d)
{
	struct submissions *all = &d->submissions;
	int64_t now = clock_us(d);

	if (all->n) {
		all->group = all->n < GROUP_MAX ? all->n : GROUP_MAX;
		all->grouped = clock_mono_ms();
	}
	choose(all);
	for (struct client *c = all->ready; c; c = c->ready) {
		uint64_t size;
		const struct submission *s = submission_envelope(c->decoder, &size);

		if (!c->put)
			continue;
		c->refusal.reason = REASON_NONE;
		c->offset = 0;
		if (accept_submission(d, s, size, &c->who, now, read_body, c, c->id, &c->refusal) == 0)
			c->refusal.reason = REASON_NONE;
		else if (!c->refusal.reason)
			c->refusal.reason = REASON_INTERNAL;
		else if (error_exit(&c->refusal) == EX_IOERR)
			c->refusal.reason = REASON_TEMPORARY; /* it is not the message's fault: later it is taken */
	}
}

/* The next of those that were put, or would have been. After the last of them it is the turn of the others. */
static struct client *take_put(struct submissions *s)
{
	for (struct client **p = &s->ready; *p; p = &(*p)->ready)
		if ((*p)->put) {
			struct client *c = *p;

			unlink_at(s, p);
			return c;
		}
	for (struct client *c = s->ready; c; c = c->ready)
		c->put = true;
	return NULL;
}

void submissions_committed(struct outpostd *d)
{
	char text[64];
	struct client *c;

	while ((c = take_put(&d->submissions)) != NULL) {
		if (c->refusal.reason) {
			client_refuse(c, &c->refusal);
			continue;
		}
		person_adds(d, c->person, spill_size(&c->body));
		STEP("door-answer");
		snprintf(text, sizeof(text), SUBMISSION_QUEUED "%s", c->id);
		client_answer(c, REASON_NONE, text);
	}
}

void submissions_forget(struct outpostd *d)
{
	struct client *c;

	while ((c = take_put(&d->submissions)) != NULL)
		client_close(c);
}

void submissions_failed(struct outpostd *d, const struct error *why)
{
	struct client *c;

	while ((c = take_put(&d->submissions)) != NULL)
		client_refuse(c, c->refusal.reason ? &c->refusal : why);
}
