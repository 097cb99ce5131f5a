/* log_lines.h: one function for each kind of line that Postfix's tools read, so that formats cannot drift. */
#ifndef OUTPOSTD_LOG_LINES_H
#define OUTPOSTD_LOG_LINES_H

#include "mail/dsn.h"
#include "outpostd/parts.h"

void event_pickup(const char *id, uid_t uid, const char *sender);
void event_active(const struct queue_message *m, const char *sender);
void event_expired(const struct queue_message *m, const char *sender);
struct event_delivery {
	const struct queue_message *m;
	const struct queue_recipient *r;
	const char *relay;
	unsigned conn_use;
	int64_t now, a_us, b_us, c_us, d_us;
	const char *dsn, *status, *text;
	pid_t pid;
};
void event_delivery(const struct event_delivery *e);
void event_removed(const char *id);
void event_bounce(const char *id, const char *notice, enum dsn_action action);
void event_twice(const char *id, pid_t pid, const char *relay, const char *why);
void event_relay_down(const struct relay *r, const struct delivery_down *why, int64_t wait_s, bool again);
void event_relay_up(const struct relay *r, int64_t seconds_down);

#endif
