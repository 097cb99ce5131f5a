/*
 * outpostd.h: the flusher's parts and how they hang together. Private to src/outpostd.
 *
 * One thread, one poll loop. A turn of the loop reads what clients and agents have sent, then makes one
 * transaction of everything that waits for the disk (verdicts of agents, bounces that follow from
 * them, submissions that are complete), commits, answers, and then hands out what is due next. Nobody is
 * read from while a transaction is open.
 *
 *   door.c      clients: bytes in, bytes out, limits          admin.c, ask.c   their questions
 *   accept.c    a decoded submission -> the queue             incoming.c       files of outpost-drop -> the queue
 *   user.c      who a uid is
 *   schedule.c  which message next                            route.c          to which relays a message may go
 *   claim.c     messages under way                            secret.c         credentials for agents
 *   relay.c     which may be tried, and when                  pause.c, budget.c  time that does not count; rates
 *   agent.c     one delivery agent: frames, window            letter.c         a message as frames
 *   settle.c    verdicts -> the queue                         bounce.c         what senders are told
 *   commit.c    the one transaction of a turn                 events.c         the log lines
 */
#ifndef OUTPOSTD_OUTPOSTD_H
#define OUTPOSTD_OUTPOSTD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/spill.h"
#include "conf/conf.h"
#include "credentials/credentials.h"
#include "delivery/delivery.h"
#include "mail/dsn.h"
#include "queue/queue.h"
#include "rules/rules.h"
#include "submission/incoming.h"
#include "submission/submission.h"

enum {
	DOOR_READ = 65536,		/* bytes taken from a client at once */
	ENVELOPE_SMALL = 256 << 10,	/* unfinished envelopes in memory: one like this always finds room, */
	ENVELOPES_PER_UID = 80 << 20,	/* larger ones while all of a user's, */
	ENVELOPES_IN_ALL = 160 << 20,	/* and all of everybody's, are not more */
	WAITING_PER_UID = 1024,		/* accepted, not yet looked at */
	ACCEPT_AT_ONCE = 64,		/* new connections in one turn */
	PAGES_AT_ONCE = 4,		/* of a listing */
	GATHER_MS = 2,			/* a commit waits this long for submissions on their way ... */
	GATHER_MAX = 64,		/* ... unless so many are complete */
	GROUP_MS = 4,			/* and for as many as the last one served, */
	GROUP_MAX = 8,			/* or so many, */
	GROUP_LASTS_MS = 30,		/* if that was no longer ago */
	DESCRIPTORS_WANTED = 8192,
	DESCRIPTORS_LEAST = 64,
	CLIENT_STALL_MS = 30 * 1000,	/* without a byte */
	CLIENT_CROWDED_MS = 2 * 1000,	/* the same while others of that user wait */
	RELAYS_MAX = 16,		/* in one route */
	RELAYS_KEPT = 64,		/* in memory, before those that nobody needs are freed, */
	RELAYS_CEILING = 1024,		/* and at most: more wait */
	AGENT_OUT_MAX = 8 << 20,	/* frames not yet taken by an agent */
	AGENT_FEED = 512 << 10,		/* no new message while more than this is unsent */
	CLAIM_RECIPIENTS = 1000,	/* of one message, at a time */
};

struct outpostd;
struct agent;

/* ---- loop.c: what poll waits for. */
struct watch {
	int fd;
	short events;
	void (*ready)(void *arg, short revents);
	void *arg;
	size_t slot;		/* the loop's own */
};
struct loop {
	struct pollfd *fds;
	struct watch **watches;
	size_t n, cap;
};
int loop_add(struct loop *l, struct watch *w);
void loop_remove(struct loop *l, struct watch *w);	/* any time, also while ready() runs */
void loop_want(struct loop *l, struct watch *w, short events);
int loop_turn(struct loop *l, int timeout_ms);
void loop_free(struct loop *l);

/* ---- user.c */
enum { USERS_KEPT = 64, GROUPS_KEPT = 16, USER_GROUPS = 256 };
struct user {
	uid_t uid;
	bool known;
	bool failed;		/* it can't be known now: the user database does not answer */
	char name[256];		/* "#uid" where he is not known */
	deadline until;		/* user.c's */
};
struct named_group {
	char name[256];
	gid_t gid;
	bool known, failed;
	deadline until;		/* user.c's */
};
struct users {
	struct user list[USERS_KEPT];
	size_t n, next;
	struct named_group groups[GROUPS_KEPT];
	size_t next_group;
	deadline silent;	/* user.c's */
};
void user_of(struct outpostd *d, uid_t uid, struct user *out);	/* may take a moment: never inside a transaction */
/* how many; -1: it can't be known now */
int user_groups(struct outpostd *d, uid_t uid, gid_t groups[USER_GROUPS]);
/* Whether a parameter (authorized_..._users) names him: conf_names_user, with the same caution. */
int user_named(struct outpostd *d, enum conf_param p, const struct user *who, const gid_t *groups, size_t ngroups);

/* So many in so long, from the first of them on. */
struct budget {
	int64_t start;			/* monotonic ms */
	unsigned used;
};

/* ---- door.c */
enum client_kind { CLIENT_NEW, CLIENT_SUBMITS, CLIENT_ASKS };
struct question;
struct client {
	struct watch watch;
	struct client *next, *prev;	/* all clients that are served */
	struct client *ready;		/* those whose submission is complete */
	struct outpostd *d;
	enum client_kind kind;
	bool admin, complete, closing;
	uid_t uid;
	gid_t gid;
	deadline stall, whole;
	int64_t heard;			/* monotonic ms of its last bytes */
	struct buf in, out;
	struct submission_decoder *decoder;
	struct spill body;
	uint64_t body_read;	/* how far the queue took it */
	struct question *question;
	struct user who;		/* of a submission */
	char id[QUEUE_ID];		/* what the commit will answer */
	struct error refusal;		/* REASON_NONE: none */
};
struct door {
	struct watch door, admin;
	struct user_budget {
		uid_t uid;
		struct budget hour;
	} *budgets;			/* user_message_rate_limit */
	size_t nbudgets;
	struct client *clients;
	size_t nclients;
	struct client *ready, **ready_end;
	size_t nready;
	deadline ready_since;
	size_t group;			/* so many were in the last commit, */
	deadline grouped;		/* then */
	struct waiting *waiting;	/* accepted, not looked at yet */
	size_t nwaiting, per_uid;
	deadline deaf;			/* no descriptors: accept again then */
	bool ours;			/* we made the door's socket (and remove it) */
	const struct error *shut;	/* everybody is told this; NULL: come in */
	char path[1024], admin_path[1024];
};
int door_open(struct outpostd *d, struct error *err);
/* For one that cannot start: tells why to everybody who waits at a door that the service manager keeps. */
void door_turn_away(struct outpostd *d, const struct error *why);
void door_unname(struct outpostd *d);		/* nobody new finds it */
bool door_serving(struct outpostd *d);		/* somebody is here, or was in time to be let in */
void door_close(struct outpostd *d);
void door_hang_up(struct outpostd *d);		/* everybody goes */
deadline door_deadline(struct outpostd *d);
void door_tick(struct outpostd *d);
/* Whether the commit should wait a moment for submissions that are nearly complete. */
bool door_gathers(struct outpostd *d);
void door_write(struct outpostd *d);		/* inside the transaction: puts what is complete */
void door_committed(struct outpostd *d);
void door_failed(struct outpostd *d, const struct error *why);
void door_forget(struct outpostd *d);		/* those who wait for their answer get none */
void client_flush(struct client *c);		/* sends what it can, closes when all is said */
void client_close(struct client *c);

/* ---- hatch.c: a stranger's socket, read and closed without ever closing what a stranger sent along. */
struct hatch {
	int keeper;		/* of sockets that must not be closed; -1: none yet */
	unsigned given;
	uid_t uid;		/* who did that last, */
	deadline told;		/* and until when this is not said again */
};
void hatch_open(struct outpostd *d);
void hatch_end(struct outpostd *d);
ssize_t hatch_read(int fd, void *p, size_t n);	/* as recv; EBADMSG: a descriptor was sent along */
void hatch_close(struct outpostd *d, int fd, uid_t uid);
int hatch_wait(void);			/* the keeper's life */

/* ---- accept.c */
struct accepted {
	char id[QUEUE_ID];
	uint32_t uid;
	char *sender;
	uint64_t size;
	size_t nrecipients;
	int64_t arrival;
	bool queue_only, repeated;
};
/* Inside a transaction. What was accepted is noted and logged by accept_committed. delay_us: the first attempt is not
 * due before so long from now. */
int accept_submission(struct outpostd *d, const struct submission *s, uint64_t size, const struct user *who,
		      int64_t arrival, int64_t delay_us, queue_source source, void *arg, char id[QUEUE_ID],
		      struct error *err);
/* The same of one that can't be: it comes in failed, and its sender is told why. */
int accept_to_fail(struct outpostd *d, const struct submission *s, uint64_t size, const struct user *who,
		   int64_t arrival, queue_source source, void *arg, const struct error *why, struct error *err);
void accept_committed(struct outpostd *d);
void accept_forget(struct outpostd *d);

/* ---- incoming.c */
typedef char incoming_file[INCOMING_NAME + sizeof(".msg")];
struct incoming_state {
	struct watch watch;		/* of the directory; fd -1: none */
	bool look;			/* something may be there */
	incoming_file *names;		/* the oldest at the last look, from `next` on not yet taken */
	size_t n, cap, next;
	incoming_file behind;		/* the last look left younger ones out than this; "" when it did not */
	size_t stays;			/* could not be taken for now */
	/* files in corrupt/, counted at the first that goes there after a look; 0: not yet */
	size_t aside;
	uint64_t aside_bytes;
	bool full;			/* and it was said that they are too many */
	deadline again;			/* and are tried again then */
	int64_t pause;			/* ms, between such tries */
};
int incoming_open(struct outpostd *d);
void incoming_tick(struct outpostd *d);		/* takes some in, in a transaction of its own */
void incoming_take(struct outpostd *d);		/* everything that is there */
bool incoming_busy(const struct outpostd *d);	/* whether there is, or may be, more to take */
deadline incoming_deadline(struct outpostd *d);
bool incoming_waits(struct outpostd *d);	/* whether a file is there that may be taken */
size_t incoming_count(struct outpostd *d);	/* files there */
void incoming_close(struct outpostd *d);

/* ---- route.c, relay.c, pause.c, budget.c */
struct relay {
	struct relay *next;
	struct relayhost at;
	/* sender-dependent authentication: whose credential, by credentials_owner; "" otherwise */
	char sender[LIMIT_ADDRESS + 1];
	struct queue_relay state;
	unsigned agents;
	unsigned fruitless;		/* connections that ended in a row without fruit (struct agent) */
	int64_t fruitless_at;		/* mono ms: the last of them */
	deadline full_since;		/* when another agent may be started; NEVER while one has room */
	unsigned fewer;			/* connections at a time, since one more was refused while so many served, */
	deadline fewer_until;		/* and until when */
	deadline not_before;		/* smtp_destination_rate_delay */
	bool dirty;			/* state is not stored yet */
	bool forced;			/* a person wants a try now */
	bool told;			/* the loud line was written */
	int code;			/* sysexits of why it is down */
	char digest[72];		/* of the credential last used */
	/* it was refused and asked for anew once since the relay last answered for a message */
	bool renewed;
	/* wall us: it was down since then, and has let us in again, but not answered for any message; 0 */
	int64_t unproven;
	struct budget second, minute;	/* smtp_destination_rate_per_second, _minute */
	struct delivery_known known;	/* by talking to it; state.known in words */
};
/* Counts one. False (and *err) when this user's messages of an hour are used up. */
bool budget_allows(struct outpostd *d, uid_t uid, struct error *err);
/* One that was counted did not become a message. */
void budget_return(struct outpostd *d, uid_t uid);
/* Counts one that was taken already (incoming/): how long (us) its first attempt has to wait for its hour, 0 not at
 * all. */
int64_t budget_delay(struct outpostd *d, uid_t uid);
/* Counts one; when that was the last of `limit` (0: none) in so long: when the next may come, else 0. */
int64_t budget_spend(struct budget *b, int64_t limit, int64_t length_ms);
void pause_add(struct queue_relay *s, int64_t since, int64_t until);
void pause_shift(struct queue_relay *s, int64_t before, int64_t by_us);		/* those that began before */
int64_t pause_sum(const struct queue_relay *s, int64_t since, int64_t now);	/* us, of those that are over */
struct relay *relay_get(struct outpostd *d, const struct relayhost *at, const char *sender, struct error *err);
int relay_routes(struct outpostd *d, struct error *err);		/* reads relayhost; keeps known states */
/* Those that another life of ours knew, so that what they kept does not count towards lifetimes. */
void relay_recall(struct outpostd *d);
/* What main.cf names no more keeps no mail any longer: its pause is over. */
void relay_leave_behind(struct outpostd *d);
bool relay_is_named(const struct outpostd *d, const struct relay *r);	/* or may be, for one of the senders */
void relay_end(struct outpostd *d, struct relay *r);
/* The relays for a sender in order of preference; how many, or -1. */
int relay_route(struct outpostd *d, const char *sender, struct relay **list, size_t max, struct error *err);
bool relay_may_try(const struct outpostd *d, const struct relay *r);
bool relay_any_startable(struct outpostd *d);
bool relay_has_place(struct outpostd *d, const struct relay *r);	/* its host, for one connection more */
bool relay_any_usable(struct outpostd *d);
bool relay_paced(const struct relay *r);				/* its rate lets one more through now */
void relay_read_rate(struct outpostd *d, struct relay *r);		/* from its state */
void relay_took(struct outpostd *d, struct relay *r);			/* a message was given to it */
unsigned relay_limit(struct outpostd *d, const struct relay *r);	/* connections at a time */
deadline relay_deadline(struct outpostd *d);
void relay_went_down(struct outpostd *d, struct relay *r, const struct delivery_down *why);
void relay_agent_down(struct outpostd *d, struct agent *a, const struct delivery_down *why);
/* It let us in, and may be given mail. Its failures are forgotten when it has answered for a message: one that fails
 * after each login is tried at growing distances like any other. */
void relay_came_up(struct outpostd *d, struct relay *r, const struct delivery_ready *ready);
void relay_answered(struct outpostd *d, struct relay *r);
void relay_bore_fruit(struct outpostd *d, struct agent *a);		/* it took a message, or refused it for good */
void relay_agent_bye(struct outpostd *d, struct agent *a);		/* before what it had goes back */
void relay_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said);
void relay_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT]);	/* for a session */
/* flush: may be tried at once; refused: even with a credential that was */
void relay_force(struct outpostd *d, bool refused);
/* the configuration, or a password map, may have */
void relay_changed(struct outpostd *d, bool conf);
bool relay_needs_hands(const struct outpostd *d);
void relay_shift(struct outpostd *d, int64_t before, int64_t by_us);	/* the clock was stepped */
int relay_store(struct outpostd *d, struct error *err);			/* inside the transaction */
void relay_stored(struct outpostd *d);
bool relay_idle(const struct relay *r);	/* all there is to know of it stands in the queue */
void relay_free_all(struct outpostd *d);
const char *relay_reason(struct outpostd *d, int *code, char dsn[12]);	/* why nothing moves, or NULL */
int64_t relay_paused_us(struct outpostd *d, int64_t since, int64_t now);	/* does not count towards lifetimes */

/* ---- schedule.c */
struct claim {
	struct claim *next;		/* in the order the agent got them */
	struct queue_message m;
	struct agent *agent;		/* NULL: it is done with it, or gone */
	uint64_t seq;
	size_t undecided, uncommitted;	/* recipients without verdict; verdicts without commit */
	size_t unripe;			/* of these: they wait for the others */
	unsigned char *decided;		/* a bit per recipient */
	size_t slot;			/* in the journal, plus one */
	bool begun, lastbyte, done;
	bool aged;			/* nobody was to send it: settle_age */
	bool sent, deferred, failed;	/* what verdicts it had, for the progress of a flush */
	bool streaming;
	uint64_t offset, size;		/* letter.c: how much was sent; of the message as sent */
	struct buf header;
	char *sender;			/* rewritten */
	int64_t claimed_us, begun_us, connect_us, transfer_us;
};
struct lane {
	uint32_t uid;
	struct queue_cursor cursor;
	bool dry;
	int64_t dried;			/* wall us: all of his that was due then was seen */
};
struct schedule {
	struct lane *lanes;
	size_t nlanes, turn;
	bool look;			/* lanes have to be looked up again */
	bool skipped;			/* something was passed over for want of room */
	bool paced;			/* something was passed over because of its relay's rate */
	/* wall us: when a relay for which something was passed over may be tried, or given more; INT64_MAX */
	int64_t again;
	bool force;
	int64_t due, looked;		/* wall us: when something more falls due, INT64_MAX never; of the last look */
	bool due_known;
	deadline wait;			/* the queue could not be read: again then */
	struct error trouble;		/* why; REASON_NONE: it can be read */
	deadline told;			/* and until when that is not logged again */
	struct claim **claims;
	size_t nclaims, capclaims;
	int64_t *tried;			/* rows deferred in this flush */
	size_t ntried, captried;
	bool tried_sorted;
};
void schedule_new_mail(struct outpostd *d, uint32_t uid, int64_t due);
void schedule_reset(struct outpostd *d);	/* something changed: look at everything again */
void schedule_free(struct outpostd *d);
void schedule_force(struct outpostd *d, bool on);
bool schedule_work(struct outpostd *d);		/* hands out; whether more could be done at once */
bool schedule_idle(struct outpostd *d);		/* nothing due now that could be sent */
int64_t schedule_due(struct outpostd *d);	/* wall us; 0 now; INT64_MAX nothing queued */
deadline schedule_deadline(struct outpostd *d);
bool schedule_waits(struct outpostd *d);	/* whether anything is queued */
void schedule_deferred(struct outpostd *d, int64_t row);
void schedule_claim_over(struct outpostd *d, struct claim *c);

/* ---- claim.c */
struct claim *claim_new(struct outpostd *d, struct queue_message *m);	/* takes what m owns */
void claim_free(struct outpostd *d, struct claim *c);
bool claim_known(const struct outpostd *d, int64_t row);

/* ---- agent.c */
enum agent_state { AGENT_STARTING, AGENT_READY, AGENT_QUITTING, AGENT_OVER };
struct agent {
	struct watch watch;
	struct agent *next;
	struct outpostd *d;
	struct relay *relay;
	pid_t pid;
	enum agent_state state;
	struct buf in, out;
	bool secret;			/* out holds one: wipe it when it is empty */
	uint64_t seq;
	struct claim *first, **last;	/* claims without DONE */
	size_t outstanding;
	unsigned used;			/* messages done over this connection */
	bool fruit;			/* a message was taken, or refused for good */
	/* 4xx for a message; whether that was meant for us shows how the session ends */
	bool answered;
	bool alive;			/* its names are looked up: from here on it gives signs of life */
	int64_t heard;			/* monotonic ms: when it last said anything, or got something to do */
	/* it has been silent for too long: until then it may still explain itself; 0: it has not */
	deadline doubt;
	uint64_t reuse_limit;		/* messages; 0: any number */
	deadline reuse_until;
	deadline since, idle;
	char digest[72];		/* of the credential it was given */
	struct credential_question *question;	/* a program or endpoint is being asked for the credential */
	struct watch asking;
	char kind;			/* of credential: 'P', 'T'; 0: none yet */
	char where[400];		/* "host[ip]:port" */
	struct delivery_ready ready;
};
struct agent *agent_start(struct outpostd *d, struct relay *r, struct error *err);
bool agent_has_room(const struct agent *a);
int agent_give(struct agent *a, struct claim *c);	/* the caller flushes */
void agent_flush(struct agent *a);
void agent_quit(struct agent *a);
void agents_tick(struct outpostd *d);
deadline agents_deadline(struct outpostd *d);
void agents_reap(struct outpostd *d);
void agents_stop(struct outpostd *d, bool now);

/* ---- secret.c */
void secret_give(struct agent *a);	/* at once, or when whoever is asked for it has answered */
void secret_forget(struct agent *a);	/* nobody wants it any more */

/* ---- letter.c */
int letter_begin(struct agent *a, struct claim *c, struct error *err);	/* START, and the whole body when it is small */
/* GET: what fits now; again when there is room */
int letter_send(struct agent *a, struct claim *c);

/* ---- settle.c */
enum { SETTLE_GATHER_MS = 5 };
int settle_verdict(struct outpostd *d, struct agent *a, struct claim *c, const struct delivery_verdict *v);
void settle_done(struct outpostd *d, struct claim *c, const struct delivery_done *done);
void settle_abandon(struct outpostd *d, struct agent *a, const struct delivery_down *why, bool died);
void settle_age(struct outpostd *d, struct claim *c, const struct relay *r);	/* its relay is down: only its age */
void settle_unreadable(struct outpostd *d, struct claim *c, const struct error *err);
bool settle_waits(const struct outpostd *d);
bool settle_urgent(const struct outpostd *d);
int settle_write(struct outpostd *d, struct error *err);
void settle_committed(struct outpostd *d);
void settle_failed(struct outpostd *d);

/* ---- bounce.c: inside the transaction. */
struct bounce_recipient {
	const struct queue_recipient *r;
	const char *dsn, *text, *relay;
	int64_t when;
};
int bounce_put(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
	       const struct bounce_recipient *list, size_t n, struct error *err);
void bounce_committed(struct outpostd *d);
void bounce_forget(struct outpostd *d);

/* ---- commit.c */
/* false: what was committed is in no queue any more, and we leave */
bool commit_counts(struct outpostd *d, struct error *err);
bool commit_would_count(struct outpostd *d);			/* the same, looked at once a second */
void commit_turn(struct outpostd *d);
deadline commit_deadline(struct outpostd *d);

/* ---- ask.c, admin.c */
void ask_begin(struct client *c, char **words, int n);
bool ask_more(struct client *c);	/* appends to c->out; false when the answer is complete */
void ask_end(struct client *c);
int ask_allowed(struct client *c, enum conf_param p);	/* -1: it can't be known now */
enum flush_reach {
	FLUSH_MAIL,		/* mail that waits; pauses of relays stand */
	FLUSH_RELAYS,		/* and relays that are down, but for a refused credential */
	FLUSH_ALL,
};
struct flush {
	bool on;
	enum flush_reach reach;
	deadline since;		/* monotonic ms */
	deadline fresh;		/* until then the counts are those of the first one to come */
	uint64_t total, done, sent, deferred, failed, told_done;
	deadline told;
};
void flush_expect(struct outpostd *d);	/* once, at the beginning */
void flush_start(struct outpostd *d, enum flush_reach reach);
void flush_check(struct outpostd *d);
void flush_counted(struct outpostd *d, const struct claim *c);

/* ---- reload.c, clock.c, notify.c, upkeep.c */
int reload_first(struct outpostd *d, struct error *err);
void reload_if_changed(struct outpostd *d);
void reload_now(struct outpostd *d);
/* a look that was put off; others while somebody has to mend something */
deadline reload_deadline(struct outpostd *d);
void reload_tick(struct outpostd *d);
void reload_log(struct outpostd *d);
void clock_look(struct outpostd *d);
/* what was noted under a clock that was put right while nobody was there */
void clock_mend(struct outpostd *d);
/* The time of the queue: the wall clock, but before a step that the queue has not followed yet. */
int64_t clock_us(const struct outpostd *d);
/* A clock that does not know the year says that it is long ago. */
bool clock_knows(int64_t time);
bool clock_stepped(const struct outpostd *d);	/* it waits for claims to end: hand out nothing more */
int notify_listen_fd(const char *name);		/* a socket of the service manager, or -1 */
void notify_say(const char *text);
deadline notify_deadline(struct outpostd *d);
void notify_tick(struct outpostd *d);
deadline upkeep_deadline(struct outpostd *d);
void upkeep_tick(struct outpostd *d);

/* ---- confine.c: gives up writing to what is not ours. */
void confine(struct outpostd *d);

/* ---- reserve.c: room on a full disk for what has to be stored. */
bool reserve_ready(struct outpostd *d);
bool reserve_use(struct outpostd *d);

/* ---- journal.c: what is with agents, for the log of the next life. */
void journal_open(struct outpostd *d);
void journal_close(struct outpostd *d);
void journal_add(struct outpostd *d, struct claim *c);
void journal_remove(struct outpostd *d, struct claim *c);

/* ---- events.c: one function per kind of line. */
void event_pickup(const struct accepted *a);
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

/* ---- everything */
/* ---- listener.c: SMTP on loopback */
enum { LISTENER_SESSIONS = 20 };
struct listener_socket {
	struct watch watch;	/* fd -1: none */
	struct outpostd *d;
	bool added;
};
struct listener {
	struct listener_socket socket[2];
	pid_t pids[LISTENER_SESSIONS];
	bool ours;		/* no service manager holds the sockets for us */
	int given;		/* one that does; kept while it is not wanted; -1: none */
};
void listener_bind(struct outpostd *d);		/* while we may */
void listener_reload(struct outpostd *d);	/* inet_interfaces may have changed */
void listener_open(struct outpostd *d);		/* once the door is open; failures are warnings */
void listener_close(struct outpostd *d);
void listener_reaped(struct outpostd *d, pid_t pid);

struct outpostd {
	struct listener listener;
	const char *conf_dir;
	bool foreground, once, take_in, on_stderr;
	bool again;			/* another life of the same process */
	char queue_dir[1024];
	struct conf *conf;
	struct rules rules;
	struct queue *queue;
	int lock;
	struct loop loop;
	struct door door;
	struct hatch hatch;
	struct users users;
	struct watch signals;
	struct incoming_state incoming;
	struct schedule schedule;
	struct relay *relays;
	size_t nrelays;
	struct credentials *credentials;	/* of conf */
	struct relay *route[RELAYS_MAX];
	size_t nroute;
	struct error route_error;	/* REASON_NONE: fine */
	struct agent *agents;
	struct accepted *accepted;
	size_t naccepted, capaccepted;
	struct verdict *verdicts;
	size_t nverdicts, capverdicts, unripe;
	struct told *told;			/* notifications put in this turn */
	size_t ntold;
	deadline verdict_since;
	bool reserved;
	deadline reserve_again;
	char stall[300];		/* why */
	bool stalled;			/* the queue takes no commits: nothing more is sent */
	deadline stalled_until;
	bool displaced;			/* the queue was removed or replaced: what is committed is lost */
	deadline placed;		/* until when that is not looked at again */
	unsigned stalls;
	/* the last commit failed: notifications are made without the whole original, however much of it was asked
	 * for */
	bool tight;
	char (*journal)[QUEUE_ID];
	struct flush flush;
	size_t window;			/* messages an agent may have ahead of its verdicts */
	int64_t idle_ms;
	bool relay_dirty;
	struct relay *aging;		/* it was found down: those who wait for it are looked at for their age */
	int64_t aging_key;
	int64_t active;			/* monotonic ms when something last happened, for leaving */
	deadline linger;
	bool flushed;			/* the errand of --once is done */
	bool parting;			/* past the last look at the queue: no run of it begins any more */
	bool late;			/* mail was accepted while we left: nobody has sent it */
	deadline upkeep, watchdog;
	int64_t watchdog_ms, reload_checked;
	int64_t clock_offset;
	deadline clock_again;		/* when a failure to follow it may be told again */
	bool clock_known;
	bool leaving, reload, reload_again;
	deadline leave_by;
	bool socket_activated;
	struct error conf_error;	/* of the last reload; REASON_NONE: fine */
};

#endif
