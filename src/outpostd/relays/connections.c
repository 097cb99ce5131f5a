/* connections.c: a relay that refuses the n-th connection says how many it allows; less surely so if that one had
 * served. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

#include "base/log.h"

enum { FULL_MS = 200 };

void connections_init(struct relay *r)
{
	delivery_read_known(r->row.known, &r->known);
	r->full_since = DEADLINE_NEVER;
}

/* Agents of this relay in one of the states from first to last. */
static unsigned count(const struct outpostd *d, const struct relay *r, enum agent_state first, enum agent_state last)
{
	unsigned n = 0;

	for (const struct agent *a = d->agents.first; a; a = a->next)
		n += a->relay == r && a->state >= first && a->state <= last;
	return n;
}

unsigned connections_of(const struct outpostd *d, const struct relay *r)
{
	return count(d, r, AGENT_STARTING, AGENT_OVER);
}

static unsigned limit_of(struct outpostd *d, const struct relay *r)
{
	int64_t limit = conf_int(d->conf, P_smtp_destination_concurrency_limit);
	struct delivery_known known = r->known;
	uint32_t allows;

	delivery_age_known(&known, clock_us(d) / 1000000);
	allows = known.connections;
	if (relay_is_down(r))
		return 1;
	if (limit < 1)
		limit = 1;
	if (!deadline_over(r->fewer_until) && (!allows || r->fewer < allows))
		allows = r->fewer;
	return allows && allows < limit ? allows : (unsigned)limit;
}

bool connection_has_place(struct outpostd *d, const struct relay *r)
{
	int64_t limit = conf_int(d->conf, P_smtp_destination_concurrency_limit), n = 0;

	for (const struct agent *a = d->agents.first; a; a = a->next)
		n += strcmp(a->relay->at.written, r->at.written) == 0;
	return n < (limit < 1 ? 1 : limit);
}

bool connection_may_open(struct outpostd *d, const struct relay *r)
{
	unsigned n;

	if (!relay_may_try(d, r))
		return false;
	n = connections_of(d, r);
	return !n || (n < limit_of(d, r) && deadline_over(r->full_since));
}

bool connection_may_open_anywhere(struct outpostd *d)
{
	for (const struct relay *r = d->relays.first; r; r = r->next)
		if (connection_may_open(d, r) && connection_has_place(d, r))
			return true;
	return relays_depend_on_sender(d) && !d->agents.first; /* there may be relays that nobody has asked for yet */
}

static bool all_full(const struct outpostd *d, const struct relay *r)
{
	bool any = false;

	for (const struct agent *a = d->agents.first; a; a = a->next) {
		if (a->relay == r && (a->state == AGENT_STARTING || agent_has_room(a)))
			return false;
		any |= a->relay == r;
	}
	return any;
}

/* Each verdict makes room for a moment, which does not show that one connection is enough. */
void connections_note_full(struct outpostd *d)
{
	for (struct relay *r = d->relays.first; r; r = r->next) {
		if (!all_full(d, r))
			r->full_since = DEADLINE_NEVER;
		else if (r->full_since == DEADLINE_NEVER)
			r->full_since = deadline_in_ms(FULL_MS);
	}
}

deadline connections_deadline(struct outpostd *d, const struct relay *r)
{
	deadline first = DEADLINE_NEVER;
	unsigned n = connections_of(d, r);

	if (n && n < limit_of(d, r) && !deadline_over(r->full_since))
		first = r->full_since;
	if (n && !deadline_over(r->fewer_until))
		first = deadline_first(first, r->fewer_until);
	return first;
}

static void learn_number(struct outpostd *d, const struct agent *a, const struct delivery_down *why, unsigned n)
{
	struct relay *r = a->relay;

	r->known.connections = n;
	if (!r->known.since)
		r->known.since = clock_us(d) / 1000000;
	relay_store_soon(d, r);
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s allows %u connection%s: %s", r->at.written, n,
		 n == 1 ? "" : "s", why->text);
}

/* For a while no more than so many. */
static void hold_back(struct outpostd *d, const struct agent *a, const struct delivery_down *why, unsigned n,
		      enum conf_param pause)
{
	struct relay *r = a->relay;

	r->fewer = n;
	r->fewer_until = deadline_in_ms(conf_seconds(d->conf, pause) * 1000);
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; going on with %u connection%s", r->at.written, why->text,
		 n, n == 1 ? "" : "s");
}

/* While others are let in, what keeps one more out is no trouble of the relay's: it, or a firewall, counts
 * connections and says so by refusing them, closing them, or "535 too many sessions". They need not have served: it
 * may take its time over their first message. */
bool connections_too_many(struct outpostd *d, const struct agent *a, const struct delivery_down *why)
{
	unsigned others = count(d, a->relay, AGENT_STARTING, AGENT_QUITTING);
	unsigned serving = count(d, a->relay, AGENT_READY, AGENT_READY);

	if (reason_class(why->reason) == CLASS_SLOW && others) {
		if (a->used)
			hold_back(d, a, why, others, P_maximal_backoff_time);
		else
			learn_number(d, a, why, others);
		return true;
	}
	if (!serving || a->where[0] || reason_is_in_our_files(why->reason))
		return false;
	hold_back(d, a, why, serving, reason_class(why->reason) == CLASS_LOGIN ? P_maximal_backoff_time :
		  P_minimal_backoff_time);
	return true;
}

/* A relay that is shut down says "421" to one connection after the other. */
void connections_forget_limits(struct outpostd *d, struct relay *r)
{
	if (count(d, r, AGENT_STARTING, AGENT_QUITTING))
		return;
	r->known.connections = 0;
	r->fewer_until = 0;
}

void connections_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said)
{
	if (delivery_learn(&r->known, said, clock_us(d) / 1000000))
		relay_store_soon(d, r);
}

void connections_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT])
{
	delivery_age_known(&r->known, clock_us(d) / 1000000);
	delivery_write_known(&r->known, text);
}

/* ---- smtp_destination_rate_delay: the queue stores when the next message may go, on the wall clock */

void rate_read(struct outpostd *d, struct relay *r)
{
	int64_t longest = conf_seconds(d->conf, P_smtp_destination_rate_delay) * 1000;
	int64_t left = (r->row.not_before - clock_wall_us()) / 1000;

	r->not_before = left > 0 && left <= longest ? deadline_in_ms(left) : 0;
}

bool rate_allows(const struct relay *r)
{
	return r->not_before <= clock_mono_ms();
}

void rate_count(struct outpostd *d, struct relay *r)
{
	int64_t delay = conf_seconds(d->conf, P_smtp_destination_rate_delay);

	if (delay <= 0)
		return;
	r->not_before = deadline_in_ms(delay * 1000);
	r->row.not_before = clock_wall_us() + delay * 1000000;
	relay_store_later(r);
}
