/*
 * settle.c: verdicts of agents become facts. They are gathered for a few milliseconds while more are to be
 * expected, written in one transaction with the bounces that follow from them, and logged when they are
 * committed. Until then the claim stays, so that nobody is offered the message again. A verdict that the sender is told
 * about waits for the others of its message: he is told once, however slowly they come.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/step.h"

enum { SETTLE_MAX = 128, ATTEMPTS_BEFORE_EXPIRY = 5 };

struct verdict {
	struct claim *claim;
	size_t index;			/* of the recipient in the claim */
	enum queue_fate fate;
	bool expired, warn, relayed_dsn, bounced, message_done;
	bool waiting;			/* its relay is down: it was not tried, only looked at */
	bool written;			/* in the transaction that is open */
	int64_t now, next;
	unsigned conn_use;
	pid_t pid;
	char dsn[12];
	char relay[400];
	char *text;
};

/* ---- verdicts come */

static struct verdict *add_verdict(struct outpostd *d)
{
	struct verdict *v;

	if (d->nverdicts == d->capverdicts) {
		size_t cap = d->capverdicts ? d->capverdicts * 2 : 64;

		v = realloc(d->verdicts, cap * sizeof(*v));
		if (!v)
			return NULL;
		d->verdicts = v;
		d->capverdicts = cap;
	}
	if (d->nverdicts == d->unripe)
		d->verdict_since = clock_mono_ms();
	v = &d->verdicts[d->nverdicts++];
	memset(v, 0, sizeof(*v));
	return v;
}

static bool is_decided(const struct claim *c, size_t i)
{
	return c->decided[i / 8] >> (i % 8) & 1;
}

/* How much of its lifetime a message has used: time in which nobody but the administrator could have helped does
 * not count. */
static int64_t age_us(struct outpostd *d, const struct queue_message *m, int64_t now)
{
	return now - m->arrival - relay_paused_us(d, m->arrival, now);
}

static bool is_too_old(struct outpostd *d, const struct queue_message *m, unsigned attempts, int64_t now)
{
	int64_t life = conf_seconds(d->conf, m->bounce ? P_bounce_queue_lifetime : P_maximal_queue_lifetime);

	return attempts >= ATTEMPTS_BEFORE_EXPIRY && age_us(d, m, now) > life * 1000000;
}

static void defer(struct outpostd *d, struct verdict *v)
{
	const struct queue_message *m = &v->claim->m;
	const struct queue_recipient *r = &m->recipients[v->index];
	int64_t warn = conf_seconds(d->conf, P_delay_warning_time);
	uint32_t dice = 0;

	if (is_too_old(d, m, r->attempts + 1, v->now)) {
		v->fate = QUEUE_FAILED;
		v->expired = true;
		return;
	}
	random_bytes(&dice, sizeof(dice));
	v->next = v->now + queue_backoff_s(r->attempts + 1, conf_seconds(d->conf, P_minimal_backoff_time),
					   conf_seconds(d->conf, P_maximal_backoff_time), dice) * 1000000;
	v->warn = warn > 0 && !r->delay_warned && age_us(d, m, v->now) > warn * 1000000;
}

static bool wants(const struct verdict *v, unsigned bit)
{
	unsigned notify = v->claim->m.recipients[v->index].notify;

	return notify == 0 ? bit != DSN_SUCCESS : (notify & bit) != 0;
}

/* Which notification, if any, this verdict asks for. */
static enum dsn_action action_of(const struct verdict *v)
{
	if (v->fate == QUEUE_FAILED)
		return wants(v, DSN_FAILURE) ? DSN_ACTION_FAILED : 0;
	if (v->fate == QUEUE_DEFERRED)
		return v->warn && wants(v, DSN_DELAY) ? DSN_ACTION_DELAYED : 0;
	return wants(v, DSN_SUCCESS) && !v->relayed_dsn ? DSN_ACTION_RELAYED : 0;
}

/* What was sent is stored at once: until then a crash would send it twice. */
static bool is_ripe(const struct verdict *v)
{
	return v->claim->done || v->fate == QUEUE_SENT || !action_of(v);
}

static void over(struct outpostd *d, struct claim *c)
{
	d->unripe -= c->unripe;
	c->unripe = 0;
	c->done = true;
	c->agent = NULL;
}

static int decide(struct outpostd *d, struct claim *c, size_t i, enum queue_fate fate, const char *dsn,
		  const char *text, const char *relay)
{
	struct verdict *v = add_verdict(d);

	if (!v)
		return -1;
	v->text = strdup(text);
	if (!v->text) {
		d->nverdicts--;
		return -1;
	}
	v->claim = c;
	v->index = i;
	v->fate = fate;
	v->now = clock_us(d);
	snprintf(v->dsn, sizeof(v->dsn), "%s", dsn);
	snprintf(v->relay, sizeof(v->relay), "%s", relay);
	if (c->agent) {
		v->conn_use = (unsigned)c->seq;
		v->pid = c->agent->pid;
	}
	c->decided[i / 8] |= (unsigned char)(1 << (i % 8));
	c->undecided--;
	c->uncommitted++;
	c->sent |= fate == QUEUE_SENT;
	if (fate == QUEUE_DEFERRED)
		defer(d, v);
	c->deferred |= v->fate == QUEUE_DEFERRED;
	c->failed |= v->fate == QUEUE_FAILED;
	if (!is_ripe(v)) {
		c->unripe++;
		d->unripe++;
	}
	return 0;
}

static enum queue_fate fate_of(enum delivery_fate f)
{
	return f == FATE_SENT ? QUEUE_SENT : f == FATE_FAILED ? QUEUE_FAILED : QUEUE_DEFERRED;
}

int settle_verdict(struct outpostd *d, struct agent *a, struct claim *c, const struct delivery_verdict *v)
{
	bool found = false;

	if (!c || v->fate < FATE_SENT || v->fate > FATE_FAILED)
		return -1;
	for (size_t i = 0; i < c->m.nrecipients; i++) {
		if (v->recipient != 0 && c->m.recipients[i].id != v->recipient)
			continue;
		found = true;
		if (is_decided(c, i))
			continue;
		if (decide(d, c, i, fate_of(v->fate), v->dsn, v->text, a->where) < 0)
			return -1;
		d->verdicts[d->nverdicts - 1].relayed_dsn = v->relayed_dsn;
	}
	return found ? 0 : -1;
}

static void finish(struct outpostd *d, struct claim *c)
{
	if (!c->done || c->uncommitted)
		return;
	flush_counted(d, c);
	schedule_claim_over(d, c);
}

void settle_done(struct outpostd *d, struct claim *c, const struct delivery_done *done)
{
	if (d->nverdicts == d->unripe)
		d->verdict_since = clock_mono_ms();
	over(d, c);
	c->connect_us = done->connect_us;
	c->transfer_us = done->transfer_us;
	finish(d, c);
}

/* What an agent had when it ended. What it had not begun is simply free again. What it had begun and left without
 * a word is deferred by itself, so that a message which kills agents can't stop the others; and where the last
 * byte may have been sent the log says what that means. */
void settle_abandon(struct outpostd *d, struct agent *a, const struct delivery_down *why, bool died)
{
	struct claim *c;

	while ((c = a->first) != NULL) {
		a->first = c->next;
		if (c->lastbyte && c->undecided)
			event_twice(c->m.id, a->pid, a->where, why->text);
		for (size_t i = 0; died && c->begun && i < c->m.nrecipients; i++)
			if (!is_decided(c, i) && decide(d, c, i, QUEUE_DEFERRED, "4.3.0", why->text, a->where) < 0)
				break;
		over(d, c);
		finish(d, c);
	}
	a->last = &a->first;
	a->outstanding = 0;
}

void settle_unreadable(struct outpostd *d, struct claim *c, const struct error *err)
{
	for (size_t i = 0; i < c->m.nrecipients; i++)
		if (decide(d, c, i, QUEUE_DEFERRED, "4.3.0", err->text, "none") < 0)
			break;
	over(d, c);
	finish(d, c);
}

/* A message that waits for a relay that is down: nobody tries it, but its time passes. The relay's failures are its
 * attempts. */
static void age_recipient(struct outpostd *d, struct claim *c, size_t i, const struct relay *r)
{
	const struct queue_recipient *to = &c->m.recipients[i];
	int64_t now = clock_us(d), warn = conf_seconds(d->conf, P_delay_warning_time);
	unsigned attempts = to->attempts + r->state.failures;
	bool old = is_too_old(d, &c->m, attempts, now);
	struct verdict *v;

	if (!old && !(warn > 0 && !to->delay_warned && age_us(d, &c->m, now) > warn * 1000000))
		return;
	if (decide(d, c, i, QUEUE_FAILED, r->state.dsn, r->state.text, "none") < 0)
		return;
	v = &d->verdicts[d->nverdicts - 1];
	v->waiting = true;
	v->expired = old;
	v->warn = !old;
	v->fate = old ? QUEUE_FAILED : QUEUE_DEFERRED;
	c->failed = old;
}

void settle_age(struct outpostd *d, struct claim *c, const struct relay *r)
{
	for (size_t i = 0; i < c->m.nrecipients; i++)
		age_recipient(d, c, i, r);
	over(d, c);
	finish(d, c);
}

/* ---- verdicts are written */

bool settle_waits(const struct outpostd *d)
{
	return d->nverdicts > d->unripe || d->relay_dirty;
}

bool settle_urgent(const struct outpostd *d)
{
	if (d->nverdicts - d->unripe >= SETTLE_MAX || d->relay_dirty ||
	    clock_mono_ms() - d->verdict_since >= SETTLE_GATHER_MS)
		return true;
	for (const struct agent *a = d->agents; a; a = a->next)
		if (a->outstanding)
			return false;
	return true;
}

/* One notification for all verdicts of a message that ask for the same. */
static int notify_sender(struct outpostd *d, size_t first, struct error *err)
{
	const struct claim *c = d->verdicts[first].claim;
	enum dsn_action action = action_of(&d->verdicts[first]);
	struct bounce_recipient *list = calloc(c->m.nrecipients, sizeof(*list));
	size_t n = 0;
	int rc;

	if (!list)
		return error_set(err, REASON_SYSTEM, "no memory");
	for (size_t i = first; i < d->nverdicts; i++) {
		struct verdict *v = &d->verdicts[i];

		if (v->claim != c || v->bounced || action_of(v) != action)
			continue;
		v->bounced = true;
		list[n++] = (struct bounce_recipient){&c->m.recipients[v->index], v->dsn, v->text, v->relay, v->now};
	}
	rc = bounce_put(d, &c->m, action, list, n, err);
	free(list);
	return rc;
}

static int write_one(struct outpostd *d, struct verdict *v, struct error *err)
{
	const struct queue_message *m = &v->claim->m;
	struct queue_settle s = {
		.row = m->row, .recipient = m->recipients[v->index].id, .fate = v->fate, .now = v->now,
		.next_attempt = v->next, .counted = true, .dsn = v->dsn, .text = v->text, .relay = v->relay,
	};

	if (v->waiting && !v->expired)
		return queue_warned(d->queue, m->row, err);
	if (queue_settle(d->queue, &s, &v->message_done, err) < 0)
		return -1;
	if (v->warn && queue_warned(d->queue, m->row, err) < 0)
		return -1;
	return 0;
}

int settle_write(struct outpostd *d, struct error *err)
{
	for (size_t i = 0; i < d->nverdicts; i++) {
		d->verdicts[i].bounced = false;
		d->verdicts[i].written = is_ripe(&d->verdicts[i]);
	}

	for (size_t i = 0; i < d->nverdicts; i++) {
		struct verdict *v = &d->verdicts[i];

		if (!v->written)
			continue;
		if (!v->bounced && action_of(v) && notify_sender(d, i, err) < 0)
			return -1;
		if (write_one(d, v, err) < 0)
			return -1;
	}
	return 0;
}

static const char *status_word(const struct verdict *v)
{
	return v->fate == QUEUE_SENT ? "sent" : v->fate == QUEUE_DEFERRED || v->expired ? "deferred" : "bounced";
}

static void tell(const struct verdict *v)
{
	const struct claim *c = v->claim;
	int64_t begun = c->begun_us ? c->begun_us : v->now;
	int64_t transfer = c->transfer_us ? c->transfer_us : v->now - begun;

	event_delivery(&(struct event_delivery){
		.m = &c->m, .r = &c->m.recipients[v->index], .relay = v->relay, .conn_use = v->conn_use,
		.now = v->now, .a_us = c->claimed_us - c->m.arrival,
		.b_us = v->now - c->claimed_us - c->connect_us - transfer, .c_us = c->connect_us, .d_us = transfer,
		.dsn = v->dsn, .status = status_word(v), .text = v->text, .pid = v->pid,
	});
	if (v->expired)
		event_expired(&c->m, c->sender);
}

void settle_committed(struct outpostd *d)
{
	size_t n = d->nverdicts;

	bounce_committed(d);
	d->nverdicts = 0;
	for (size_t i = 0; i < n; i++) {
		struct verdict *v = &d->verdicts[i];
		struct claim *c = v->claim;

		if (!v->written) {
			d->verdicts[d->nverdicts++] = *v;
			continue;
		}
		if (!v->waiting || v->expired)
			tell(v);
		if (v->message_done)
			event_removed(c->m.id);
		if (v->fate == QUEUE_DEFERRED && !v->waiting)
			schedule_deferred(d, c->m.row);
		free(v->text);
		c->uncommitted--;
		finish(d, c);
	}
	if (n)
		d->schedule.due_known = false;
}

void settle_failed(struct outpostd *d)
{
	for (size_t i = 0; i < d->nverdicts; i++)
		d->verdicts[i].written = false;
	bounce_forget(d);
}
