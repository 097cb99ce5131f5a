/* submissions.c: many at once do not pay for a sync each, and one alone does not wait. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/process/step.h"

enum {
	GATHER_MS = 2,		/* a commit waits this long for submissions on their way ... */
	GATHER_MAX = 64,	/* ... unless so many are complete */
	GROUP_MS = 4,		/* and for as many as the last one served, */
	GROUP_MAX = 8,		/* or so many, */
	GROUP_LASTS_MS = 30,	/* if that was no longer ago */
	LARGE = 1 << 20,	/* bytes: one like this has a transaction of its own, after the others */
	BYTES_AT_ONCE = 8 << 20,
	SLICE_MS = 50,		/* for the rewriting of recipients in a turn */
};

void submission_complete(struct client *c)
{
	struct submissions *s = &c->d->submissions;

	STEP("door-complete");
	c->complete = c->put = true;
	c->ready = NULL;
	c->lists_since = lists_now(c->d);
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
	s->waiting -= (*p)->waits;
	(*p)->waits = false;
	accept_recipients_free(&(*p)->to);
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

bool submissions_ready(const struct outpostd *d)
{
	return d->submissions.n > d->submissions.waiting;
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
	struct client *large = NULL;
	uint64_t bytes = 0;
	bool any = false;

	for (struct client *c = all->ready; c; c = c->ready) {
		uint64_t size = spill_size(&c->body);

		c->put = !c->waits && size < LARGE && bytes < BYTES_AT_ONCE;
		bytes += c->put ? size : 0;
		any |= c->put;
		if (!large && !c->waits && size >= LARGE)
			large = c;
	}
	if (!any && large)
		large->put = true;
}

static void prepare(struct client *c)
{
	uint64_t size;
	int rc;

	accept_recipients_free(&c->to);
	rc = accept_prepare(c->d, submission_envelope(c->decoder, &size), c->lists_since, &c->to, &c->refusal);
	if (rc >= 0)
		c->refusal.reason = REASON_NONE;
	if (rc <= 0)
		return;
	c->put = false;
	c->waits = true;
	c->d->submissions.waiting++;
}

bool submissions_prepare(struct outpostd *d)
{
	deadline slice = deadline_in_ms(SLICE_MS);
	bool any = false;

	choose(&d->submissions);
	for (struct client *c = d->submissions.ready; c; c = c->ready) {
		if (any && deadline_over(slice))
			c->put = false;
		if (c->put)
			prepare(c);
		any |= c->put;
	}
	return any;
}

void submissions_lists_read(struct outpostd *d)
{
	for (struct client *c = d->submissions.ready; c; c = c->ready)
		c->waits = false;
	d->submissions.waiting = 0;
}

static void write_one(struct outpostd *d, struct client *c)
{
	struct accept_source from = {.who = &c->who, .arrival = clock_us(d), .read = read_body, .arg = c};

	from.s = submission_envelope(c->decoder, &from.size);
	c->offset = 0;
	if (accept_submission(d, &from, &c->to, c->id, &c->refusal) == 0)
		c->refusal.reason = REASON_NONE;
	else if (!c->refusal.reason)
		c->refusal.reason = REASON_INTERNAL;
	else if (error_exit(&c->refusal) == EX_IOERR)
		c->refusal.reason = REASON_TEMPORARY; /* it is not the message's fault: later it is taken */
}

void submissions_write(struct outpostd *d)
{
	struct submissions *all = &d->submissions;
	size_t n = all->n - all->waiting;

	if (n) {
		all->group = n < GROUP_MAX ? n : GROUP_MAX;
		all->grouped = clock_mono_ms();
	}
	for (struct client *c = all->ready; c; c = c->ready) {
		if (c->put && !c->refusal.reason)
			write_one(d, c);
		accept_recipients_free(&c->to); /* they are of the configuration that is in force now */
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
