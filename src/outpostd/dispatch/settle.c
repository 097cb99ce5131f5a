/* settle.c: a verdict that is reported to the sender waits for the others of its message: one notification reports
 * all of them. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { SETTLE_MAX = 128, GATHER_MS = 5, ATTEMPTS_BEFORE_EXPIRY = 5, UNCLEAR_ATTEMPTS = 3, UNCLEAR_S = 3600 };

struct verdict {
	struct claim *claim;
	size_t index;			/* of the recipient in the claim */
	enum queue_fate fate;
	bool expired, warn, relayed_dsn, bounced, message_done;
	bool warning_only;		/* its relay is down: it was not tried; its sender is notified of the delay */
	bool written;			/* in the transaction that is open */
	enum reason reason;		/* REASON_NONE: sent */
	int64_t now, next;
	unsigned conn_use;
	pid_t pid;
	char dsn[12];
	char relay[400];
	char *text;
};

/* ---- verdicts come */

static void note_first(struct settlement *s)
{
	if (s->n == s->withheld)
		s->since = clock_mono_ms();
}

static bool is_decided(const struct claim *c, size_t i)
{
	return c->decided[i / 8] >> (i % 8) & 1;
}

/* How much of its lifetime a message has used: time in which only the administrator could have helped does not
 * count. */
static int64_t age_us(struct outpostd *d, const struct queue_message *m, int64_t now)
{
	return now - m->arrival - relays_paused_us(d, m->arrival, now);
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

/* A refusal for no clear reason may be about us. Once it was repeated for an hour, and other mail went through
 * between the last two, it is about the message. */
static bool is_unclear_no_more(const struct outpostd *d, const struct verdict *v)
{
	const struct queue_message *m = &v->claim->m;
	const struct queue_recipient *r = &m->recipients[v->index];
	const struct agent *a = v->claim->agent;

	return v->fate == QUEUE_DEFERRED && v->reason == REASON_UNCLEAR_REFUSAL && r->reason == v->reason &&
	       r->attempts + 1 >= UNCLEAR_ATTEMPTS && clock_us(d) - m->arrival >= (int64_t)UNCLEAR_S * 1000000 && a &&
	       a->relay->last_sent > r->last;
}

static void give_up(struct verdict *v)
{
	v->fate = QUEUE_FAILED;
	v->reason = REASON_REFUSED;
	v->dsn[0] = '5';
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

static bool is_over(const struct claim *c)
{
	return c->state == CLAIM_DONE || c->state == CLAIM_EXAMINED;
}

/* What was sent is stored at once: until then a crash would send it twice. */
static bool is_withheld(const struct verdict *v)
{
	return !is_over(v->claim) && v->fate != QUEUE_SENT && action_of(v);
}

static void over(struct outpostd *d, struct claim *c)
{
	d->settlement.withheld -= c->withheld;
	c->withheld = 0;
	if (c->state != CLAIM_EXAMINED)
		c->state = CLAIM_DONE;
	c->agent = NULL;
}

/* A verdict without its fate. */
static struct verdict *decide(struct outpostd *d, struct claim *c, size_t i, enum reason why, const char *dsn,
			      const char *text, const char *relay)
{
	struct settlement *s = &d->settlement;
	char *copy = strdup(text);
	struct verdict *v;

	note_first(s);
	v = copy ? array_add(&s->verdicts, &s->n, &s->cap, sizeof(*v)) : NULL;
	if (!v) {
		free(copy);
		return NULL;
	}
	v->text = copy;
	v->claim = c;
	v->index = i;
	v->reason = why;
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
	return v;
}

static unsigned outcome_of(const struct verdict *v)
{
	return v->fate == QUEUE_SENT ? OUTCOME_SENT : v->fate == QUEUE_DEFERRED ? OUTCOME_DEFERRED : OUTCOME_FAILED;
}

static void set_fate(struct outpostd *d, struct verdict *v, enum queue_fate fate)
{
	v->fate = fate;
	if (is_unclear_no_more(d, v))
		give_up(v);
	else if (fate == QUEUE_DEFERRED)
		defer(d, v);
	v->claim->outcome |= outcome_of(v);
	if (is_withheld(v)) {
		v->claim->withheld++;
		d->settlement.withheld++;
	}
}

/* All recipients without verdict. */
static void settle_rest(struct outpostd *d, struct claim *c, enum queue_fate fate, const struct error *why,
			const char *relay)
{
	const char *dsn = fate == QUEUE_FAILED ? error_dsn(why) : "4.3.0";

	for (size_t i = 0; i < c->m.nrecipients; i++) {
		struct verdict *v = is_decided(c, i) ? NULL : decide(d, c, i, why->reason, dsn, why->text, relay);

		if (v)
			set_fate(d, v, fate);
	}
}

static enum queue_fate fate_of(enum delivery_fate f)
{
	return f == FATE_SENT ? QUEUE_SENT : f == FATE_FAILED ? QUEUE_FAILED : QUEUE_DEFERRED;
}

int settle_verdict(struct outpostd *d, struct agent *a, struct claim *c, const struct delivery_verdict *said)
{
	bool found = false;

	if (!c || said->fate < FATE_SENT || said->fate > FATE_FAILED)
		return -1;
	for (size_t i = 0; i < c->m.nrecipients; i++) {
		struct verdict *v;

		if (said->recipient != 0 && c->m.recipients[i].id != said->recipient)
			continue;
		found = true;
		if (is_decided(c, i))
			continue;
		v = decide(d, c, i, said->reason, said->dsn, said->text, a->where);
		if (!v)
			return -1;
		v->relayed_dsn = said->relayed_dsn;
		set_fate(d, v, fate_of(said->fate));
	}
	return found ? 0 : -1;
}

static void finish(struct outpostd *d, struct claim *c)
{
	if (!is_over(c) || c->uncommitted)
		return;
	flush_count(d, c->outcome);
	schedule_claim_over(d, c);
}

void settle_done(struct outpostd *d, struct claim *c, const struct delivery_done *done)
{
	note_first(&d->settlement);
	over(d, c);
	c->connect_us = done->connect_us;
	c->transfer_us = done->transfer_us;
	finish(d, c);
}

/* What the agent had not begun is simply free again. What it had begun and left without a verdict is deferred by
 * itself, so that a message which kills agents cannot stop the others; and where the last byte may have been sent
 * the log says what that means. */
void settle_abandon(struct outpostd *d, struct agent *a, const struct delivery_down *why, bool died)
{
	struct error left;
	struct claim *c;

	error_set(&left, why->reason, "%s", why->text);
	while ((c = agent_take_claim(a)) != NULL) {
		if (c->state == CLAIM_LAST_BYTE && c->undecided)
			event_twice(c->m.id, a->pid, a->where, why->text);
		if (died && c->state >= CLAIM_BEGUN)
			settle_rest(d, c, QUEUE_DEFERRED, &left, a->where);
		over(d, c);
		finish(d, c);
	}
}

/* What is too large for its ceiling will be so again. */
void settle_unsendable(struct outpostd *d, struct claim *c, const struct error *err)
{
	settle_rest(d, c, err->reason == REASON_HEADER_TOO_LARGE ? QUEUE_FAILED : QUEUE_DEFERRED, err, "none");
	over(d, c);
	finish(d, c);
}

/* The relay's failures are the message's attempts. */
static void age_recipient(struct outpostd *d, struct claim *c, size_t i, const struct relay *r)
{
	const struct queue_recipient *to = &c->m.recipients[i];
	int64_t now = clock_us(d), warn = conf_seconds(d->conf, P_delay_warning_time);
	bool old = is_too_old(d, &c->m, to->attempts + r->row.failures, now);
	struct verdict *v;

	if (!old && !(warn > 0 && !to->delay_warned && age_us(d, &c->m, now) > warn * 1000000))
		return;
	v = decide(d, c, i, r->row.reason, r->row.dsn, r->row.text, "none");
	if (!v)
		return;
	v->expired = old;
	v->warn = v->warning_only = !old;
	v->fate = old ? QUEUE_FAILED : QUEUE_DEFERRED;
	if (old)
		c->outcome = OUTCOME_FAILED;
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
	return d->settlement.n > d->settlement.withheld || d->relay_states.due;
}

static bool agents_work(const struct outpostd *d)
{
	for (const struct agent *a = d->agents.first; a; a = a->next)
		if (a->outstanding)
			return true;
	return false;
}

deadline settle_deadline(const struct outpostd *d)
{
	const struct settlement *s = &d->settlement;

	if (!settle_waits(d))
		return DEADLINE_NEVER;
	if (s->n - s->withheld >= SETTLE_MAX || d->relay_states.due || !agents_work(d))
		return 0;
	return s->since + GATHER_MS;
}

/* One notification for all verdicts of a message that ask for the same. */
static int notify_sender(struct outpostd *d, size_t first, struct error *err)
{
	const struct settlement *s = &d->settlement;
	const struct claim *c = s->verdicts[first].claim;
	enum dsn_action action = action_of(&s->verdicts[first]);
	struct bounce_recipient *list = calloc(c->m.nrecipients, sizeof(*list));
	size_t n = 0;
	int rc;

	if (!list)
		return error_set(err, REASON_SYSTEM, "out of memory");
	for (size_t i = first; i < s->n; i++) {
		struct verdict *v = &s->verdicts[i];

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
	struct queue_settle row = {
		.row = m->row, .recipient = m->recipients[v->index].id, .fate = v->fate, .now = v->now,
		.next_attempt = v->next, .counted = true, .reason = v->reason, .dsn = v->dsn, .text = v->text,
		.relay = v->relay,
	};

	if (v->warning_only)
		return queue_warned(d->queue, m->row, err);
	if (queue_settle(d->queue, &row, &v->message_done, err) < 0)
		return -1;
	if (v->warn && queue_warned(d->queue, m->row, err) < 0)
		return -1;
	return 0;
}

int settle_write(struct outpostd *d, struct error *err)
{
	struct settlement *s = &d->settlement;

	for (size_t i = 0; i < s->n; i++) {
		s->verdicts[i].bounced = false;
		s->verdicts[i].written = !is_withheld(&s->verdicts[i]);
	}
	for (size_t i = 0; i < s->n; i++) {
		struct verdict *v = &s->verdicts[i];

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

static void report(const struct verdict *v)
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
	struct settlement *s = &d->settlement;
	size_t n = s->n;

	bounce_committed(d);
	s->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct verdict *v = &s->verdicts[i];
		struct claim *c = v->claim;

		if (!v->written) {
			s->verdicts[s->n++] = *v;
			continue;
		}
		if (!v->warning_only)
			report(v);
		if (v->message_done)
			event_removed(c->m.id);
		if (v->fate == QUEUE_DEFERRED && !v->warning_only)
			lanes_deferred(d, c->m.row);
		free(v->text);
		c->uncommitted--;
		finish(d, c);
	}
	if (n)
		lanes_changed(d);
}

void settle_failed(struct outpostd *d)
{
	struct settlement *s = &d->settlement;

	for (size_t i = 0; i < s->n; i++)
		s->verdicts[i].written = false;
	bounce_forget(d);
}

void settle_free(struct outpostd *d)
{
	free(d->settlement.verdicts);
	d->settlement = (struct settlement){0};
}
