/*
 * session_end.c: most ends of a connection say nothing about the relay. It is down only if the connection brought
 * nothing, no other one serves, and it is not one message's or one credential's fault.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdio.h>

#include "base/log.h"

enum { WITHOUT_PROGRESS_MAX = 3, WITHOUT_PROGRESS_MS = 300 * 1000 };

static void answered(struct outpostd *d, struct relay *r)
{
	if (relay_answered(d, r))
		r->renewed = false;
}

/* The relay's word on the message itself, whether or not we take a refusal as final: it is up, and asks for nothing. */
static bool is_final(const struct delivery_verdict *v)
{
	enum reason_class c = reason_class(v->reason);

	return v->fate == FATE_SENT || (v->smtp_code / 100 == 5 && (c == CLASS_RECIPIENT || c == CLASS_MESSAGE));
}

void session_answered(struct outpostd *d, struct agent *a, const struct delivery_verdict *v)
{
	if (v->fate == FATE_SENT)
		a->relay->last_sent = clock_us(d);
	if (!is_final(v)) {
		if (a->result == RESULT_NONE)
			a->result = RESULT_DEFERRED;
		return;
	}
	a->result = RESULT_PROGRESS;
	a->relay->without_progress = 0;
	answered(d, a->relay);
}

static unsigned recent_without_progress(const struct relay *r)
{
	return clock_mono_ms() - r->without_progress_at > WITHOUT_PROGRESS_MS ? 0 : r->without_progress;
}

bool sessions_are_fine(const struct relay *r)
{
	return !recent_without_progress(r) && !r->renewed;
}

/* One more connection that brought nothing but "not now", or nothing. Whether the relay is to be logged in to once
 * more all the same: one message's fault it may be, and that waits now; but several in a row, soon after one
 * another, are the relay's. */
static bool may_reconnect(struct relay *r)
{
	if (r->life != RELAY_PROBING)
		r->without_progress = recent_without_progress(r);
	r->without_progress_at = clock_mono_ms();
	return ++r->without_progress < WITHOUT_PROGRESS_MAX;
}

/* A connection that brought something to its end and was then lost, or lost count, does not show that the relay is
 * down: the next will find out. */
static bool worth_another(struct relay *r, const struct agent *a, const struct delivery_down *why)
{
	if (reason_class(why->reason) == CLASS_MESSAGE)
		return true;
	if (reason_class(why->reason) != CLASS_NETWORK)
		return false;
	return (why->served && a->result == RESULT_PROGRESS) || ((why->served || a->used > 0) && may_reconnect(r));
}

/* A token may have been withdrawn, a password that a program keeps may have changed: a new one is tried once. */
static bool renew_credential(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;

	if (reason_class(why->reason) != CLASS_LOGIN || !a->kind || r->renewed ||
	    !credentials_refused(d->credentials, a->kind))
		return false;
	r->renewed = true;
	log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; asking for a new credential", r->at.written, why->text);
	return true;
}

void session_failed(struct outpostd *d, struct agent *a, const struct delivery_down *why)
{
	struct relay *r = a->relay;

	if (connections_too_many(d, a, why))
		return;
	if (worth_another(r, a, why)) {
		log_line(LOG_INFORMATION, "smtp", a->pid, "%s: %s; connecting again", r->at.written, why->text);
		return;
	}
	if (renew_credential(d, a, why))
		return;
	connections_forget_limits(d, r);
	relay_went_down(d, r, why, a->digest);
	flush_retry_relay(d, r, a->since);
}

/* A session that ended in order, and yet brought nothing of its mail to an end, made no progress, unless outpostd
 * ended it: a relay that lets us in and closes would be logged in to as fast as it does. */
void session_closed(struct outpostd *d, struct agent *a)
{
	bool had = a->outstanding || a->result != RESULT_NONE;
	struct delivery_down down = {0};
	struct relay *r = a->relay;

	if (!had || a->result == RESULT_PROGRESS || a->state == AGENT_QUITTING || may_reconnect(r)) {
		if (a->result == RESULT_DEFERRED)
			answered(d, r);
		return;
	}
	delivery_say_down(&down, REASON_CONNECTION_LOST, a->result == RESULT_DEFERRED ?
			  "%s refuses all mail for now, and closes the connection" :
			  "%s lets us in and closes the connection before any mail is sent", a->where);
	relay_went_down(d, r, &down, "");
}
