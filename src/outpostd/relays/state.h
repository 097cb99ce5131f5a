/*
 * state.h: a relay's life. One that is down moves no message: it is tried by one agent at a time, at growing distances,
 * and its state outlives outpostd. Where only the administrator can help (a refused credential, a certificate, main.cf)
 * the log line is loud, mail does not age, and the pause ends early when what was refused has changed.
 */
#ifndef OUTPOSTD_STATE_H
#define OUTPOSTD_STATE_H

#include "outpostd/parts.h"
#include "nexthop/nexthop.h"

enum relay_life {
	RELAY_UP,
	RELAY_PROBING,		/* it was down, and has let us in since, but has not answered for a message */
	RELAY_DOWN,		/* it retries by itself */
	RELAY_DOWN_ADMIN,	/* the same, and an administrator has to act */
	RELAY_LIVES
};

struct relay {
	/* route.c: what it is */
	struct relay *next;
	struct relayhost at;
	/* sender-dependent authentication: whose credential, by credentials_owner; "" otherwise */
	char sender[LIMIT_ADDRESS + 1];
	/* state.c */
	enum relay_life life;
	struct queue_relay row;		/* what the queue stores of it; not_before is rate.c's */
	bool dirty;			/* row is not stored yet */
	bool announced;			/* the loud line was logged */
	int64_t down_before;		/* wall us: probing: it was down since then */
	/* session_end.c */
	unsigned without_progress;	/* connections in a row that made no progress (see enum agent_result), */
	int64_t without_progress_at;	/* mono ms: the last of them */
	int64_t last_sent;		/* wall us: it accepted a message; 0: not since outpostd started */
	/* its credential was refused and asked for anew once since it last answered for a message */
	bool renewed;
	/* connections.c */
	unsigned agents;
	deadline full_since;		/* when another agent may be started; NEVER while one has room */
	unsigned fewer;			/* connections at a time, since one more was refused while so many served, */
	deadline fewer_until;		/* and until when */
	struct delivery_known known;	/* by talking to it; row.known in words */
	/* rate.c */
	deadline not_before;		/* smtp_destination_rate_delay */
};
struct relay_states {
	bool due;			/* some row waits for the next commit */
};

/* What its row, just read, says. */
void relay_read(struct outpostd *d, struct relay *r);
bool relay_is_down(const struct relay *r);
bool relay_may_try(const struct outpostd *d, const struct relay *r);
int64_t relay_retry_at(const struct relay *r);	/* wall us; 0 when it is not down */

/* Whether main.cf, or a file that it names, is what stands in the way: a flush exits with 78 then. A certificate or
 * a refusal is the relay's word. */
bool reason_is_in_our_files(enum reason why);

/* digest: of the credential that was tried. */
void relay_went_down(struct outpostd *d, struct relay *r, const struct delivery_down *why, const char *digest);
/* It let us in, and may be given mail. Its failures are forgotten when it has answered for a message: one that
 * fails after each login is tried at growing distances like any other. */
void relay_came_up(struct outpostd *d, struct relay *r, const struct delivery_ready *ready);
/* False: it is down, through another connection, which is newer than this answer. */
bool relay_answered(struct outpostd *d, struct relay *r);
/* main.cf no longer names it: it keeps no mail any longer, its pause is over. */
void relay_end_pause(struct outpostd *d, struct relay *r);
/* May be tried at once, unless its credential was refused and `refused` is false. */
void relay_retry_now(struct relay *r, bool refused);
/* The same for all. */
void relays_retry_now(struct outpostd *d, bool refused);
/* The configuration, or a password map, may have changed: what was refused may be accepted now. */
void relays_recheck(struct outpostd *d, bool conf);

bool relays_need_admin(const struct outpostd *d);
void relays_shift(struct outpostd *d, int64_t before, int64_t by_us);	/* the clock was stepped */
/* Time that does not count towards lifetimes. */
int64_t relays_paused_us(struct outpostd *d, int64_t since, int64_t now);

/* its row goes into the next commit, for which there is a reason now */
void relay_store_soon(struct outpostd *d, struct relay *r);
void relay_store_later(struct relay *r);			/* it goes into one that comes anyhow */
bool relays_wait_for_commit(const struct outpostd *d);
int relays_store(struct outpostd *d, struct error *err);	/* inside the transaction */
void relays_stored(struct outpostd *d);

#endif
