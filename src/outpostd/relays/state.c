/*
 * state.c: which relay may be tried, and when. A relay that is down moves no message: it is tried by one agent
 * at a time, at growing distances, and its state outlives us. Where only the administrator can help (a
 * credential that was refused, a certificate, main.cf) the line is loud, mail is not failed by age, and
 * the pause ends early when what was refused has changed.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

#include "base/log.h"

enum { AUTH_BACKOFF_MAX_S = 8 * 3600, LOCAL_RETRY_S = 60, FRUITLESS_MAX = 3, FRUITLESS_MS = 300 * 1000 };

static const struct {
	enum delivery_down_kind kind;
	enum reason reason;
} kinds[] = {
	{DOWN_NETWORK, REASON_CONNECTION_LOST},
	{DOWN_LOCAL, REASON_NETWORK_LOCAL},
	{DOWN_DNS, REASON_DNS_FAILED},
	{DOWN_GREETING, REASON_SESSION_REFUSED},
	{DOWN_TLS, REASON_TLS_FAILED},
	{DOWN_AUTH, REASON_LOGIN_FAILED},
	{DOWN_CONFIG, REASON_CONFIG},
	{DOWN_BUSY, REASON_RELAY_BUSY},
};

static enum reason down_reason(enum delivery_down_kind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].reason;
	return REASON_CONNECTION_LOST;
}

static void mark(struct outpostd *d, struct relay *r)
{
	delivery_write_known(&r->known, r->state.known);
	r->dirty = true;
	d->relay_dirty = true;
}

/* ---- up and down */

static bool is_down(const struct relay *r)
{
	return r->state.down_until != 0;
}

static unsigned fruitless_of_late(const struct relay *r)
{
	return clock_mono_ms() - r->fruitless_at > FRUITLESS_MS ? 0 : r->fruitless;
}

bool relay_idle(const struct relay *r)
{
	return !r->agents && !r->dirty && !is_down(r) && !r->forced && !fruitless_of_late(r) && !r->unproven &&
	       !r->renewed && relay_paced(r) && clock_mono_ms() - r->second.start >= 1000;
}

bool relay_may_try(const struct outpostd *d, const struct relay *r)
{
	return r->forced || !is_down(r) || r->state.down_until <= clock_us(d);
}

unsigned relay_limit(struct outpostd *d, const struct relay *r)
{
	int64_t limit = conf_int(d->conf, P_smtp_destination_concurrency_limit);
	struct delivery_known known = r->known;
	uint32_t allows;

	delivery_age_known(&known, clock_us(d) / 1000000);
	allows = known.connections;
	if (is_down(r))
		return 1;
	if (limit < 1)
		limit = 1;
	if (!deadline_over(r->fewer_until) && (!allows || r->fewer < allows))
		allows = r->fewer;
	return allows && allows < limit ? allows : (unsigned)limit;
}

static int64_t pause_s(struct outpostd *d, const struct relay *r, const struct delivery_down *why)
{
	int64_t min = conf_seconds(d->conf, P_minimal_backoff_time),
		max = conf_seconds(d->conf, P_maximal_backoff_time);
	unsigned n = r->state.failures;
	uint32_t dice = 0;
	int64_t s;

	random_bytes(&dice, sizeof(dice));
	if (why->kind == DOWN_LOCAL) {
		/* Nothing of our own network is held against the relay: look again soon. */
		if (max > LOCAL_RETRY_S)
			max = LOCAL_RETRY_S;
		if (min > max)
			min = max;
	/* that: nobody could be asked for the credential */
	} else if (why->kind == DOWN_AUTH && why->code != EX_TEMPFAIL) {
		min = max; /* providers lock accounts that knock */
		max = min > AUTH_BACKOFF_MAX_S ? min : AUTH_BACKOFF_MAX_S;
	}
	s = queue_backoff_s(n, min, max, dice);
	return s < why->retry_after ? why->retry_after : s;
}

/* 78 only for what stands, or does not stand, in our own files: a certificate or a refusal is the relay's word. */
static bool mendable(const struct delivery_down *why)
{
	return why->kind == DOWN_CONFIG || (why->kind == DOWN_AUTH && why->code == EX_CONFIG);
}

void relay_went_down(struct outpostd *d, struct relay *r, const struct delivery_down *why)
{
	struct queue_relay *s = &r->state;
	enum reason reason = down_reason(why->kind);
	bool same = (is_down(r) || r->unproven) && s->reason == reason && strcmp(s->text, why->text) == 0;
	int64_t now = clock_us(d), wait;

	/* A pause that did not count ends where another kind of trouble begins. */
	if (s->down_since && reason_needs_admin(s->reason) && s->reason != reason) {
		pause_add(s, s->down_since, now);
		s->down_since = now;
	}
	if (!s->down_since)
		s->down_since = now;
	s->failures++;
	wait = pause_s(d, r, why);
	s->down_until = now + wait * 1000000;
	s->reason = reason;
	snprintf(s->dsn, sizeof(s->dsn), "%s", why->dsn);
	snprintf(s->text, sizeof(s->text), "%s", why->text);
	r->forced = false;
	r->code = mendable(why) ? EX_CONFIG : EX_TEMPFAIL;
	if (why->kind == DOWN_AUTH)
		snprintf(s->auth_digest, sizeof(s->auth_digest), "%s", r->digest);
	event_relay_down(r, why, wait, same && r->told);
	r->told = true;
	mark(d, r);
	schedule_reset(d);
	if (!relay_is_named(d, r)) {
		relay_end(d, r); /* an agent that began before main.cf was changed */
	} else if (!reason_needs_admin(reason) && r == d->route[0]) {
		d->aging = r;
		d->aging_key = 0;
	}
}

void relay_came_up(struct outpostd *d, struct relay *r, const struct delivery_ready *ready)
{
	struct queue_relay *s = &r->state;
	int64_t now = clock_us(d);

	if (is_down(r)) {
		r->unproven = s->down_since;
		if (reason_needs_admin(s->reason))
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
	r->forced = false;
	mark(d, r);
}

void relay_bore_fruit(struct outpostd *d, struct agent *a)
{
	a->fruit = true;
	a->relay->fruitless = 0;
	relay_answered(d, a->relay);
}

void relay_answered(struct outpostd *d, struct relay *r)
{
	struct queue_relay *s = &r->state;

	if (is_down(r))
		return; /* another connection's: what put it down since then is younger */
	if (r->unproven)
		event_relay_up(r, (clock_us(d) - r->unproven) / 1000000);
	r->unproven = 0;
	r->told = r->renewed = false;
	if (!s->failures && !s->reason)
		return;
	s->failures = 0;
	s->reason = REASON_NONE;
	s->text[0] = s->dsn[0] = s->auth_digest[0] = '\0';
	mark(d, r);
}

/* A token may have been withdrawn, a password that a program keeps may have changed: a new one is tried once. */
static bool renew_credential(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;

	if (why->kind != DOWN_AUTH || !a->kind || r->renewed || !credentials_refused(d->credentials, a->kind))
		return false;
	r->renewed = true;
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; asking for a new credential", r->at.written, why->text);
	return true;
}

/* Those whose end has not been heard of. */
static unsigned connected(const struct outpostd *d, const struct relay *r)
{
	unsigned n = 0;

	for (const struct agent *a = d->agents; a; a = a->next)
		n += a->relay == r && a->state != AGENT_OVER;
	return n;
}

static void learn_number(struct outpostd *d, const struct agent *a, const struct delivery_down *why, unsigned n)
{
	struct relay *r = a->relay;

	r->known.connections = n;
	if (!r->known.since)
		r->known.since = clock_us(d) / 1000000;
	mark(d, r);
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s allows %u connection%s: %s", r->at.written, n, n == 1 ? "" : "s",
		 why->text);
}

/* For a while no more than so many. */
static void hold_back(struct outpostd *d, const struct agent *a, const struct delivery_down *why, unsigned n,
		      enum conf_param pause)
{
	struct relay *r = a->relay;

	r->fewer = n;
	r->fewer_until = deadline_in_ms(conf_seconds(d->conf, pause) * 1000);
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; going on with %u connection%s", r->at.written, why->text, n,
		 n == 1 ? "" : "s");
}

/* Nobody is let in, and so what kept out those before was no number: a relay that is shut down says "421" to one
 * connection after the other. */
static void forget_number(struct relay *r)
{
	r->known.connections = 0;
	r->fewer_until = 0;
}

/* One more connection that brought nothing but "not now", or nothing. Whether the relay is to be logged in to once more
 * all the same: one message's fault it may be, and that waits now; but several in a row, soon after one another, are
 * the relay's. */
static bool fruitless(struct relay *r)
{
	if (!r->unproven)
		r->fruitless = fruitless_of_late(r);
	r->fruitless_at = clock_mono_ms();
	return ++r->fruitless < FRUITLESS_MAX;
}

/* A connection that brought something to its end and was then lost, or lost count, is no sign that the relay is down:
 * the next will find out. */
static bool worth_another(struct relay *r, const struct agent *a, const struct delivery_down *why)
{
	if (why->kind == DOWN_MESSAGE)
		return true;
	if (why->kind != DOWN_NETWORK && why->kind != DOWN_GREETING)
		return false;
	if (why->served && a->fruit)
		return true;
	return (why->served || (why->kind == DOWN_NETWORK && a->used > 0)) && fruitless(r);
}

/* While others are let in, what keeps one more out is no trouble of the relay's: it, or a firewall, counts connections
 * and says so by refusing them, closing them, or "535 too many sessions". They need not have been served: it may take
 * its time over their first. */
static bool is_one_too_many(struct outpostd *d, const struct agent *a, const struct delivery_down *why)
{
	enum conf_param pause = why->kind == DOWN_AUTH ? P_maximal_backoff_time : P_minimal_backoff_time;
	struct relay *r = a->relay;
	unsigned others = 0;

	for (const struct agent *b = d->agents; b; b = b->next)
		others += b != a && b->relay == r && b->state == AGENT_READY;
	if (!others || a->where[0] || why->kind == DOWN_CONFIG)
		return false;
	hold_back(d, a, why, others, pause);
	return true;
}

static void force(struct relay *r, bool refused)
{
	if (is_down(r) && (refused || reason_class(r->state.reason) != CLASS_LOGIN))
		r->forced = true;
}

/* A session ended. A relay that refuses the n-th connection says how many it allows; less surely if that one had
 * served. */
void relay_agent_down(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;
	unsigned others = connected(d, r);

	snprintf(r->digest, sizeof(r->digest), "%s", a->digest);
	if (why->kind == DOWN_BUSY && others) {
		if (a->used)
			hold_back(d, a, why, others, P_maximal_backoff_time);
		else
			learn_number(d, a, why, others);
		return;
	}
	if (is_one_too_many(d, a, why))
		return;
	if (worth_another(r, a, why)) {
		log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; connecting again", r->at.written, why->text);
		return;
	}
	if (renew_credential(d, a, why))
		return;
	if (!others)
		forget_number(r);
	relay_went_down(d, r, why);
	/* It began before somebody mended something and asked for a flush: that was not the try he asked for. */
	if (d->flush.on && d->flush.reach != FLUSH_MAIL && a->since < d->flush.since)
		force(r, d->flush.reach == FLUSH_ALL);
}

/* Ended in order, and yet one that brought nothing of its mail to an end is fruitless, unless it was us who ended it: a
 * relay that lets us in and closes would be logged in to as fast as it does. */
void relay_agent_bye(struct outpostd *d, struct agent *a)
{
	bool had = a->outstanding || a->answered, barren = had && !a->fruit && a->state != AGENT_QUITTING;
	struct delivery_down down = {0};
	struct relay *r = a->relay;

	if (!barren || fruitless(r)) {
		if (a->answered)
			relay_answered(d, r);
		return;
	}
	delivery_say_down(&down, DOWN_NETWORK, EX_TEMPFAIL, "4.4.2", a->answered ?
			  "%s refuses all mail for now, and closes the connection" :
			  "%s lets us in and closes the connection before any mail is sent", a->where);
	relay_went_down(d, r, &down);
}

void relay_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said)
{
	if (delivery_learn(&r->known, said, clock_us(d) / 1000000))
		mark(d, r);
}

void relay_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT])
{
	delivery_age_known(&r->known, clock_us(d) / 1000000);
	delivery_write_known(&r->known, text);
}

void relay_force(struct outpostd *d, bool refused)
{
	for (struct relay *r = d->relays; r; r = r->next)
		force(r, refused);
	schedule_reset(d);
}

/* The password map has changed, or main.cf: what was refused may be accepted now. */
void relay_changed(struct outpostd *d, bool conf)
{
	struct credential cr;
	struct error err = {0};

	for (struct relay *r = d->relays; r; r = r->next) {
		bool lift = is_down(r) && reason_needs_admin(r->state.reason) && conf;

		/* A program or a provider is not asked just to compare: it would be knocked at with every
		 * submission. */
		if (is_down(r) && !lift && reason_class(r->state.reason) == CLASS_LOGIN &&
		    credentials_find(d->credentials, &r->at, r->sender, &cr, &err) == 1) {
			lift = strcmp(cr.digest, r->state.auth_digest) != 0;
			credential_wipe(&cr);
		}
		if (lift) {
			r->state.down_until = 1; /* down still, but it may be tried at once */
			r->state.failures = 0;
			mark(d, r);
			schedule_reset(d);
		}
	}
}

void relay_end(struct outpostd *d, struct relay *r)
{
	struct queue_relay *s = &r->state;

	if (!is_down(r))
		return;
	if (reason_needs_admin(s->reason))
		pause_add(s, s->down_since, clock_us(d));
	s->down_since = s->down_until = 0;
	s->failures = 0;
	s->reason = REASON_NONE;
	s->text[0] = s->dsn[0] = s->auth_digest[0] = '\0';
	r->forced = r->told = false;
	r->unproven = 0;
	mark(d, r);
}

static int64_t shifted(int64_t t, int64_t by)
{
	return t > 1 ? (t + by > 1 ? t + by : 1) : t;
}

/* Like the queue's times: what was noted by a clock that was ahead of this one stays. */
void relay_shift(struct outpostd *d, int64_t before, int64_t by_us)
{
	for (struct relay *r = d->relays; r; r = r->next) {
		pause_shift(&r->state, before, by_us);
		if (r->state.last_ok <= before)
			r->state.last_ok = shifted(r->state.last_ok, by_us);
		if (r->state.down_since <= before) {
			r->state.down_until = shifted(r->state.down_until, by_us);
			r->state.down_since = shifted(r->state.down_since, by_us);
		}
		mark(d, r);
	}
}

/* The longest of all relays: a message may have been meant for any. */
int64_t relay_paused_us(struct outpostd *d, int64_t since, int64_t now)
{
	int64_t most = 0;

	for (const struct relay *r = d->relays; r; r = r->next) {
		int64_t sum = pause_sum(&r->state, since, now), down = r->state.down_since;

		if (down && down < now && reason_needs_admin(r->state.reason))
			sum += now - (down > since ? down : since);
		if (sum > most)
			most = sum;
	}
	return most;
}

/* Whether somebody has to mend something: then it is looked at more often whether that was done. */
bool relay_needs_hands(const struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (is_down(r) && reason_needs_admin(r->state.reason))
			return true;
	return d->route_error.reason != REASON_NONE;
}

int relay_store(struct outpostd *d, struct error *err)
{
	for (struct relay *r = d->relays; r; r = r->next)
		if (r->dirty && queue_relay_set(d->queue, &r->state, err) < 0)
			return -1;
	return 0;
}

void relay_stored(struct outpostd *d)
{
	for (struct relay *r = d->relays; r; r = r->next)
		r->dirty = false;
	d->relay_dirty = false;
}

/* ---- questions of the schedule */

/* With credentials that depend on the sender each sender has a relay here; they are one host, which counts them
 * together. */
bool relay_has_place(struct outpostd *d, const struct relay *r)
{
	int64_t limit = conf_int(d->conf, P_smtp_destination_concurrency_limit), n = 0;

	for (const struct agent *a = d->agents; a; a = a->next)
		n += strcmp(a->relay->at.written, r->at.written) == 0;
	return n < (limit < 1 ? 1 : limit);
}

/* The sender decides about the relay, or about the login there, which is one here. */
static bool by_sender(const struct outpostd *d)
{
	return d->rules.maps[MAP_SENDER_RELAYS] || conf_bool(d->conf, P_smtp_sender_dependent_authentication);
}

static bool startable(struct outpostd *d, const struct relay *r)
{
	if (!relay_may_try(d, r) || !relay_has_place(d, r))
		return false;
	if (r->agents == 0)
		return true;
	return r->agents < relay_limit(d, r) && deadline_over(r->full_since);
}

bool relay_any_startable(struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (startable(d, r))
			return true;
	return by_sender(d) && !d->agents; /* there may be relays that nobody has asked for yet */
}

bool relay_any_usable(struct outpostd *d)
{
	for (const struct relay *r = d->relays; r; r = r->next)
		if (relay_may_try(d, r))
			return true;
	return by_sender(d);
}

/* When a relay may be tried again, or another agent started; only times that are to come. */
deadline relay_deadline(struct outpostd *d)
{
	int64_t now = clock_us(d);
	deadline first = DEADLINE_NEVER;

	for (const struct relay *r = d->relays; r; r = r->next) {
		if (r->state.down_until > now)
			first = deadline_first(first, deadline_in_ms((r->state.down_until - now) / 1000 + 1));
		if (r->agents && r->agents < relay_limit(d, r) && !deadline_over(r->full_since))
			first = deadline_first(first, r->full_since);
		if (r->agents && !deadline_over(r->fewer_until))
			first = deadline_first(first, r->fewer_until);
		if (r->not_before > clock_mono_ms())
			first = deadline_first(first, r->not_before);
	}
	return first;
}

/* The relay that keeps mail from moving; what an earlier main.cf named keeps none. Where the sender decides, any
 * may. */
static const struct relay *in_the_way(struct outpostd *d)
{
	if (by_sender(d)) {
		for (const struct relay *r = d->relays; r; r = r->next)
			if (is_down(r))
				return r;
		return NULL;
	}
	for (size_t i = 0; i < d->nroute; i++)
		if (!is_down(d->route[i]))
			return NULL;
	return d->nroute ? d->route[0] : NULL;
}

const char *relay_reason(struct outpostd *d, int *code, char dsn[12])
{
	const struct relay *r;

	if (d->schedule.trouble.reason) { /* then no relay is asked at all */
		*code = EX_TEMPFAIL;
		snprintf(dsn, 12, "4.3.0");
		return d->schedule.trouble.text;
	}
	if (d->route_error.reason) {
		*code = error_exit(&d->route_error);
		snprintf(dsn, 12, "%s", error_dsn(&d->route_error));
		return d->route_error.text;
	}
	r = in_the_way(d);
	if (!r)
		return NULL;
	*code = r->code;
	snprintf(dsn, 12, "%s", r->state.dsn);
	return r->state.text;
}
