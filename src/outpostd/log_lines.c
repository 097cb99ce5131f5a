#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>

#include "base/log.h"
#include "mail/dsn.h"

void event_pickup(const char *id, uid_t uid, const char *sender)
{
	log_line(LOG_INFORMATION, "pickup", 0, "%s: uid=%u from=<%s>", id, (unsigned)uid, sender);
}

void event_active(const struct queue_message *m, const char *sender)
{
	log_line(LOG_INFORMATION, "qmgr", 0, "%s: from=<%s>, size=%llu, nrcpt=%zu (queue active)", m->id, sender,
		 (unsigned long long)m->size, m->nrecipients);
}

void event_expired(const struct queue_message *m, const char *sender)
{
	log_line(LOG_INFORMATION, "qmgr", 0, "%s: from=<%s>, status=expired, returned to sender", m->id,
		 sender ? sender : m->sender);
}

/* Postfix's format_tv: two significant digits below ten, none after the point above. */
static const char *seconds(int64_t us, char out[24])
{
	double s = us > 0 ? (double)us / 1e6 : 0;

	if (s >= 10)
		snprintf(out, 24, "%.0f", s);
	else if (s >= 1)
		snprintf(out, 24, "%.2g", s);
	else if (s >= 0.01)
		snprintf(out, 24, "%.2g", s);
	else
		snprintf(out, 24, s >= 0.005 ? "0.01" : "0");
	return out;
}

void event_delivery(const struct event_delivery *e)
{
	char orig[LIMIT_ADDRESS + 32] = "", use[32] = "", total[24], a[24], b[24], c[24], x[24];

	if (e->r->original && strcmp(e->r->original, e->r->address) != 0)
		snprintf(orig, sizeof(orig), " orig_to=<%s>,", e->r->original);
	if (e->conn_use > 1)
		snprintf(use, sizeof(use), " conn_use=%u,", e->conn_use);
	log_line(LOG_INFORMATION, "smtp", e->pid,
		 "%s: to=<%s>,%s relay=%s,%s delay=%s, delays=%s/%s/%s/%s, dsn=%s, status=%s (%s)", e->m->id,
		 e->r->address, orig, *e->relay ? e->relay : "none", use, seconds(e->now - e->m->arrival, total),
		 seconds(e->a_us, a), seconds(e->b_us, b), seconds(e->c_us, c), seconds(e->d_us, x), e->dsn, e->status,
		 e->text);
}

void event_removed(const char *id)
{
	log_line(LOG_INFORMATION, "qmgr", 0, "%s: removed", id);
}

void event_bounce(const char *id, const char *notice, enum dsn_action action)
{
	const char *what = action == DSN_ACTION_FAILED ? "non-delivery" :
			   action == DSN_ACTION_DELAYED ? "delay" : "delivery status";

	log_line(LOG_INFORMATION, "bounce", 0, "%s: sender %s notification: %s", id, what, notice);
}

void event_twice(const char *id, pid_t pid, const char *relay, const char *why)
{
	log_line(LOG_WARN, "smtp", pid,
		 "%s: was sent to %s whole, and then no answer came: it may be delivered twice%s%s%s",
		 id, *relay ? relay : "the relay", *why ? " (" : "", why, *why ? ")" : "");
}

void event_relay_down(const struct relay *r, const struct delivery_down *why, int64_t wait_s, bool again)
{
	bool loud = reason_needs_admin(why->reason);

	if (again)
		log_line(LOG_INFORMATION, "qmgr", 0, "%s is down still, next attempt in %lld s: %s", r->at.written,
			 (long long)wait_s, why->text);
	else
		log_line(loud ? LOG_FAIL : LOG_WARN, "qmgr", 0,
			 "%s is down, its mail waits, next attempt in %lld s: %s%s",
			 r->at.written, (long long)wait_s, why->text,
			 reason_class(why->reason) == CLASS_LOGIN ?
				" (mail is kept and will not expire; fix the password map and it is retried at once)" :
			 "");
}

void event_relay_up(const struct relay *r, int64_t seconds_down)
{
	log_line(LOG_INFORMATION, "qmgr", 0, "%s is up again after %lld s", r->at.written, (long long)seconds_down);
}
