/* relays.h: which relays there are, whether one may be tried, how fast, over how many connections. */
#ifndef OUTPOSTD_RELAYS_H
#define OUTPOSTD_RELAYS_H

#include "nexthop/nexthop.h"
#include "outpostd/parts.h"

/* ---- state.c: a relay's life. One that is down moves no message: it is tried by one agent at a time, at growing
 * distances, and its state outlives outpostd. Where only the administrator can help (a refused credential, a
 * certificate, main.cf) the log line is loud, mail does not age, and the pause ends early when what was refused has
 * changed. */

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
	struct queue_relay row;		/* what the queue stores of it; not_before is connections.c's */
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
	deadline full_since;		/* when another agent may be started; NEVER while one has room */
	unsigned fewer;			/* connections at a time, since one more was refused while so many served, */
	deadline fewer_until;		/* and until when */
	struct delivery_known known;	/* by talking to it; row.known in words */
	deadline not_before;		/* smtp_destination_rate_delay */
};
struct relay_states {
	bool due;			/* some row waits for the next commit */
};

/* What its row, just read, says. */
void relay_read(struct outpostd *d, struct relay *r);
bool relay_is_down(const struct relay *r);
bool relay_may_try(const struct outpostd *d, const struct relay *r);

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
int relays_store(struct outpostd *d, struct error *err);	/* inside the transaction */
void relays_stored(struct outpostd *d);

/* ---- connections.c: how many connections a relay is given at a time: main.cf's limit, what the relay was seen to
 * allow, and, for a while, what served when one more was refused. Also what else was learnt by talking to it. */

void connections_init(struct relay *r);		/* once its row is read */
unsigned connections_of(const struct outpostd *d, const struct relay *r);	/* how many there are */

/* Whether another one may be opened now: the relay may be tried, its host has a place, and those that are open have
 * been full for a while. */
bool connection_may_open(struct outpostd *d, const struct relay *r);
bool connection_may_open_anywhere(struct outpostd *d);
/* Whether the relay's host has a place. With credentials that depend on the sender each sender has a relay here;
 * they are one host, which counts all of them. */
bool connection_has_place(struct outpostd *d, const struct relay *r);
/* Once in a turn, when all that could be handed out was: which relays have no agent with room, and since when. */
void connections_note_full(struct outpostd *d);
deadline connections_deadline(struct outpostd *d, const struct relay *r);

/* A connection was refused, or lost, while others of the relay serve. True: that says how many it allows, and
 * nothing more. */
bool connections_too_many(struct outpostd *d, const struct agent *a, const struct delivery_down *why);
/* No connection is let in: what kept out earlier ones was not their number. */
void connections_forget_limits(struct outpostd *d, struct relay *r);

void connections_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said);
void connections_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT]);	/* for a session */

/* smtp_destination_rate_delay, the time between two messages: from its row, so that a restart shortens no delay. */
void rate_read(struct outpostd *d, struct relay *r);
bool rate_allows(const struct relay *r);
void rate_count(struct outpostd *d, struct relay *r);	/* a message was given to it */

/* ---- session_end.c: what the end of an agent's session says about its relay. */

/* A DOWN frame, or one that could not be started. */
void session_failed(struct outpostd *d, struct agent *a, const struct delivery_down *why);
/* A BYE frame. Called before what the agent had goes back. */
void session_closed(struct outpostd *d, struct agent *a);
/* The relay answered for a message. */
void session_answered(struct outpostd *d, struct agent *a, const struct delivery_verdict *v);
/* No connection of late ended without progress, and no credential is being renewed. */
bool sessions_are_fine(const struct relay *r);

/* ---- route.c: which relays there are, and which of them a message may take, in order of preference. */

enum {
	RELAYS_MAX = 16,		/* in one route */
	RELAYS_KEPT = 64,		/* in memory, before those that nobody needs are freed, */
	RELAYS_CEILING = 1024,		/* and at most: more wait */
};

struct relays {
	struct relay *first;		/* all that are known */
	size_t n;
	struct relay *route[RELAYS_MAX];	/* relayhost and its fallbacks */
	size_t nroute;
	struct error error;		/* why there is no route; REASON_NONE: there is one */
};

/* Those that the previous run knew, so that what they kept does not count towards lifetimes. */
void relays_recall(struct outpostd *d);
/* Reads relayhost; keeps known states, and ends the pauses of relays that are no longer named. Failure is logged. */
void relays_configure(struct outpostd *d);
/* What main.cf says may be right, and the relay's row only could not be read from the queue when it was asked for. */
void relays_configure_again(struct outpostd *d);
void relays_free(struct outpostd *d);

/* The relays for a sender; how many, or -1. */
int relays_for(struct outpostd *d, const char *sender, struct relay *list[RELAYS_MAX], struct error *err);
/* by main.cf, or maybe for one of the senders */
bool relay_is_named(const struct outpostd *d, const struct relay *r);
bool relay_is_first(const struct outpostd *d, const struct relay *r);	/* of main.cf's route */
/* The sender decides about the relay, or about the login there: there may be relays that are not known yet. */
bool relays_depend_on_sender(const struct outpostd *d);
bool relays_usable(struct outpostd *d);		/* any may be tried now */
/* When a relay may be tried again, another agent started, or another message given; only times that are to come. */
deadline relays_deadline(struct outpostd *d);
const struct error *relays_error(const struct outpostd *d);	/* why there is no route, or NULL */
/* Why nothing moves, in words, or NULL. */
const char *relays_reason(struct outpostd *d, enum reason *why, char dsn[12]);

#endif
