/* state.c: the transitions of a relay's life, and the row of it that the queue stores. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

enum { AUTH_BACKOFF_MAX_S = 8 * 3600, LOCAL_RETRY_S = 60 };

enum relay_event { LETS_IN, ANSWERS, FAILS, FAILS_ADMIN, UNNAMED, EVENTS };

/* outpostd(8) prints this table, and a test compares the two. */
static const enum relay_life transitions[RELAY_LIVES][EVENTS] = {
	/*                     lets us in,    answers for a message, fails,      fails, administrator, not in main.cf */
	[RELAY_UP]         = {RELAY_UP,      RELAY_UP,         RELAY_DOWN, RELAY_DOWN_ADMIN, RELAY_UP},
	[RELAY_PROBING]    = {RELAY_PROBING, RELAY_UP,         RELAY_DOWN, RELAY_DOWN_ADMIN, RELAY_PROBING},
	[RELAY_DOWN]       = {RELAY_PROBING, RELAY_DOWN,       RELAY_DOWN, RELAY_DOWN_ADMIN, RELAY_UP},
	[RELAY_DOWN_ADMIN] = {RELAY_PROBING, RELAY_DOWN_ADMIN, RELAY_DOWN, RELAY_DOWN_ADMIN, RELAY_UP},
};

/* Returns the state before. */
static enum relay_life move(struct relay *r, enum relay_event event)
{
	enum relay_life before = r->life;

	r->life = transitions[before][event];
	return before;
}

bool relay_is_down(const struct relay *r)
{
	return r->life >= RELAY_DOWN;
}

bool relay_may_try(const struct outpostd *d, const struct relay *r)
{
	return !relay_is_down(r) || r->row.down_until <= clock_us(d);
}

/* Times that were stored while the clock was wrong: the relay may be tried now. */
static void correct_times(const struct outpostd *d, struct queue_relay *s)
{
	int64_t now = clock_us(d);

	if (!s->down_since || !clock_knows(now) || (s->down_since <= now && clock_knows(s->down_since)))
		return;
	s->down_since = now;
	s->down_until = 1;
}

void relay_read(struct outpostd *d, struct relay *r)
{
	correct_times(d, &r->row);
	r->life = !r->row.down_until ? RELAY_UP : reason_needs_admin(r->row.reason) ? RELAY_DOWN_ADMIN : RELAY_DOWN;
}

/* ---- pauses: when only the administrator could help, which does not age mail */

/* Where there are too many the two oldest are joined, which only prolongs lives. */
static void pause_add(struct queue_relay *s, int64_t since, int64_t until)
{
	struct queue_pause *p = s->pauses;

	if (s->npauses == QUEUE_PAUSES) {
		p[1].since = p[0].since;
		memmove(p, p + 1, --s->npauses * sizeof(*p));
	}
	p[s->npauses++] = (struct queue_pause){since, until};
}

static void pause_shift(struct queue_relay *s, int64_t before, int64_t by_us)
{
	for (size_t i = 0; i < s->npauses; i++)
		if (s->pauses[i].since <= before) {
			s->pauses[i].since += by_us;
			s->pauses[i].until += by_us;
		}
}

static int64_t overlap(int64_t from, int64_t to, int64_t since, int64_t now)
{
	if (from < since)
		from = since;
	if (to > now)
		to = now;
	return to > from ? to - from : 0;
}

static int64_t pause_sum(const struct queue_relay *s, int64_t since, int64_t now)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->npauses; i++)
		sum += overlap(s->pauses[i].since, s->pauses[i].until, since, now);
	return sum;
}

/* ---- up and down */

static int64_t pause_s(struct outpostd *d, const struct relay *r, const struct delivery_down *why)
{
	int64_t min = conf_seconds(d->conf, P_minimal_backoff_time);
	int64_t max = conf_seconds(d->conf, P_maximal_backoff_time);
	unsigned n = r->row.failures;
	uint32_t dice = 0;
	int64_t s;

	random_bytes(&dice, sizeof(dice));
	if (reason_class(why->reason) == CLASS_LOCAL) {
		/* Trouble of our own network is not held against the relay: retry soon. */
		if (max > LOCAL_RETRY_S)
			max = LOCAL_RETRY_S;
		if (min > max)
			min = max;
	} else if (reason_class(why->reason) == CLASS_LOGIN &&
		   reason_exit(why->reason) != EX_TEMPFAIL) { /* that: nothing could be asked for the credential */
		min = max; /* providers lock accounts after repeated failures */
		max = min > AUTH_BACKOFF_MAX_S ? min : AUTH_BACKOFF_MAX_S;
	}
	s = queue_backoff_s(n, min, max, dice);
	return s < why->retry_after ? why->retry_after : s;
}

bool reason_is_in_our_files(enum reason why)
{
	switch (why) {
	case REASON_CONFIG:
	case REASON_TLS_CONFIG:
	case REASON_TLS_CA_FILE:
	case REASON_DNS_NO_MX:
		return true;
	default:
		return reason_class(why) == CLASS_LOGIN && reason_exit(why) == EX_CONFIG;
	}
}

static void set_reason(struct relay *r, const struct delivery_down *why, const char *digest)
{
	struct queue_relay *s = &r->row;

	s->reason = why->reason;
	snprintf(s->dsn, sizeof(s->dsn), "%s", why->dsn);
	snprintf(s->text, sizeof(s->text), "%s", why->text);
	if (reason_class(why->reason) == CLASS_LOGIN)
		credential_mark(digest, s->auth_mark);
}

static void clear_reason(struct relay *r)
{
	struct queue_relay *s = &r->row;

	s->failures = 0;
	s->reason = REASON_NONE;
	s->text[0] = s->dsn[0] = s->auth_mark[0] = '\0';
}

void relay_went_down(struct outpostd *d, struct relay *r, const struct delivery_down *why, const char *digest)
{
	struct queue_relay *s = &r->row;
	bool same = s->reason == why->reason && strcmp(s->text, why->text) == 0;
	enum relay_life before = move(r, reason_needs_admin(why->reason) ? FAILS_ADMIN : FAILS);
	int64_t now = clock_us(d), wait;

	/* A pause that did not count ends where another kind of trouble begins. */
	if (before == RELAY_DOWN_ADMIN && s->reason != why->reason) {
		pause_add(s, s->down_since, now);
		s->down_since = 0;
	}
	if (!s->down_since)
		s->down_since = now;
	s->failures++;
	wait = pause_s(d, r, why);
	s->down_until = now + wait * 1000000;
	set_reason(r, why, digest);
	event_relay_down(r, why, wait, before != RELAY_UP && same && r->announced);
	r->announced = true;
	relay_store_soon(d, r);
	schedule_reset(d);
	if (!relay_is_named(d, r))
		relay_end_pause(d, r); /* an agent that began before main.cf was changed */
	else if (r->life == RELAY_DOWN && relay_is_first(d, r))
		expiry_begin(d, r);
}

void relay_came_up(struct outpostd *d, struct relay *r, const struct delivery_ready *ready)
{
	struct queue_relay *s = &r->row;
	enum relay_life before = move(r, LETS_IN);
	int64_t now = clock_us(d);

	if (before >= RELAY_DOWN) {
		r->down_before = s->down_since;
		if (before == RELAY_DOWN_ADMIN)
			pause_add(s, s->down_since, now);
	} else if (now - s->last_ok < 60 * 1000000 && s->last_ok <= now && strcmp(s->tls, ready->tls_summary) == 0) {
		return; /* nothing new that is worth a commit */
	}
	s->down_since = s->down_until = 0;
	s->last_ok = now;
	s->cert_expires = ready->cert_expires;
	snprintf(s->tls, sizeof(s->tls), "%.*s", (int)sizeof(s->tls) - 1, ready->tls_summary);
	snprintf(s->mechanism, sizeof(s->mechanism), "%s", ready->mechanism);
	snprintf(s->extensions, sizeof(s->extensions), "%.*s", (int)sizeof(s->extensions) - 1, ready->extensions);
	relay_store_soon(d, r);
}

bool relay_answered(struct outpostd *d, struct relay *r)
{
	if (move(r, ANSWERS) == RELAY_PROBING)
		event_relay_up(r, (clock_us(d) - r->down_before) / 1000000);
	if (relay_is_down(r))
		return false;
	r->announced = false;
	if (r->row.failures || r->row.reason) {
		clear_reason(r);
		relay_store_soon(d, r);
	}
	return true;
}

void relay_end_pause(struct outpostd *d, struct relay *r)
{
	struct queue_relay *s = &r->row;
	enum relay_life before = move(r, UNNAMED);

	if (before < RELAY_DOWN)
		return;
	if (before == RELAY_DOWN_ADMIN)
		pause_add(s, s->down_since, clock_us(d));
	s->down_since = s->down_until = 0;
	clear_reason(r);
	r->announced = false;
	relay_store_soon(d, r);
}

/* ---- tried before its time */

void relay_retry_now(struct relay *r, bool refused)
{
	if (relay_is_down(r) && (refused || reason_class(r->row.reason) != CLASS_LOGIN))
		r->row.down_until = 1;
}

void relays_retry_now(struct outpostd *d, bool refused)
{
	for (struct relay *r = d->relays.first; r; r = r->next)
		relay_retry_now(r, refused);
	schedule_reset(d);
}

/* A program or a provider is not asked just to compare: it would be asked with every submission. */
static bool has_new_credential(struct outpostd *d, struct relay *r)
{
	struct credential cr;
	struct error ignored;
	bool differs;

	if (reason_class(r->row.reason) != CLASS_LOGIN ||
	    credentials_find(d->credentials, &r->at, r->sender, &cr, &ignored) != 1)
		return false;
	differs = !credential_has_mark(cr.digest, r->row.auth_mark);
	credential_wipe(&cr);
	return differs;
}

void relays_recheck(struct outpostd *d, bool conf)
{
	for (struct relay *r = d->relays.first; r; r = r->next) {
		if (r->life != RELAY_DOWN_ADMIN || !(conf || has_new_credential(d, r)))
			continue;
		relay_retry_now(r, true);
		r->row.failures = 0;
		relay_store_soon(d, r);
		schedule_reset(d);
	}
}

/* ---- time */

static int64_t shifted(int64_t t, int64_t by)
{
	return t > 1 ? (t + by > 1 ? t + by : 1) : t;
}

/* Like the queue's times: what was stored by a clock that was ahead of this one stays. */
void relays_shift(struct outpostd *d, int64_t before, int64_t by_us)
{
	for (struct relay *r = d->relays.first; r; r = r->next) {
		pause_shift(&r->row, before, by_us);
		if (r->row.last_ok <= before)
			r->row.last_ok = shifted(r->row.last_ok, by_us);
		if (r->row.down_since <= before) {
			r->row.down_until = shifted(r->row.down_until, by_us);
			r->row.down_since = shifted(r->row.down_since, by_us);
		}
		relay_store_soon(d, r);
	}
}

/* The longest of all relays: a message may have been meant for any. */
int64_t relays_paused_us(struct outpostd *d, int64_t since, int64_t now)
{
	int64_t most = 0;

	for (const struct relay *r = d->relays.first; r; r = r->next) {
		int64_t sum = pause_sum(&r->row, since, now), down = r->row.down_since;

		if (r->life == RELAY_DOWN_ADMIN && down < now)
			sum += now - (down > since ? down : since);
		if (sum > most)
			most = sum;
	}
	return most;
}

bool relays_need_admin(const struct outpostd *d)
{
	for (const struct relay *r = d->relays.first; r; r = r->next)
		if (r->life == RELAY_DOWN_ADMIN)
			return true;
	return relays_error(d) != NULL;
}

/* ---- the row */

void relay_store_later(struct relay *r)
{
	delivery_write_known(&r->known, r->row.known);
	r->dirty = true;
}

void relay_store_soon(struct outpostd *d, struct relay *r)
{
	relay_store_later(r);
	d->relay_states.due = true;
}

int relays_store(struct outpostd *d, struct error *err)
{
	for (struct relay *r = d->relays.first; r; r = r->next)
		if (r->dirty && queue_relay_set(d->queue, &r->row, err) < 0)
			return -1;
	return 0;
}

void relays_stored(struct outpostd *d)
{
	for (struct relay *r = d->relays.first; r; r = r->next)
		r->dirty = false;
	d->relay_states.due = false;
}
