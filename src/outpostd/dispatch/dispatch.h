/* dispatch.h: messages go out: lanes, schedule, agents, verdicts, bounces, the commit. */
#ifndef OUTPOSTD_DISPATCH_H
#define OUTPOSTD_DISPATCH_H

#include "mail/dsn.h"
#include "outpostd/parts.h"

/* ---- claim.c: messages that are under way. They are in memory alone: after a crash there is nothing to clean up. */

enum { CLAIM_RECIPIENTS = 1000 };	/* of one message, at a time */

enum claim_state {
	CLAIM_EXAMINED,		/* nobody is to send it: only its age counts (message_lifetime.c) */
	CLAIM_GIVEN,		/* to an agent, which has not begun it */
	CLAIM_BEGUN,		/* some of it was sent */
	CLAIM_LAST_BYTE,	/* all of it may have been sent: the relay may have it */
	CLAIM_DONE,		/* the agent has nothing more to do with it */
};
enum { OUTCOME_SENT = 1, OUTCOME_DEFERRED = 2, OUTCOME_FAILED = 4 };

struct claim {
	struct claim *next;		/* in the order the agent got them */
	struct queue_message m;
	enum claim_state state;
	struct agent *agent;		/* NULL: it is over */
	uint64_t seq;
	int64_t claimed_us, begun_us;
	/* settle.c */
	size_t undecided, uncommitted;	/* recipients without verdict; verdicts without commit */
	size_t withheld;		/* of these: they wait for the others */
	unsigned char *decided;		/* a bit per recipient */
	unsigned outcome;		/* of its verdicts, for the progress of a flush */
	int64_t connect_us, transfer_us;
	/* inflight_journal.c */
	size_t slot;			/* plus one */
	/* agent_feed.c */
	bool streaming;
	uint64_t offset, size;		/* how much was sent; of the message as sent */
	struct buf header;
	char *sender;			/* rewritten */
};
struct claims {
	struct claim **list;
	size_t n, cap;
};

/* takes what m owns; NULL without memory */
struct claim *claim_new(struct outpostd *d, struct queue_message *m, enum claim_state state);
void claim_free(struct outpostd *d, struct claim *c);
bool claim_known(const struct outpostd *d, int64_t row);
/* One line ">ID" for each. */
void claims_list(const struct outpostd *d, struct buf *out);
void claims_free(struct outpostd *d);

/* ---- user_lanes.c: which message next. Each submitting user has a lane, a cursor through what is due of that
 * user's, and persons take turns, and the lanes of a person, so that 50,000 messages of one job, or of 50,000
 * subordinate uids, delay another user's by one message. */

struct lane {
	uint32_t uid;
	uid_t person;
	size_t round;		/* in which its person gave a message */
	struct queue_cursor cursor;
	bool dry;
	int64_t dried;		/* wall us: all of it that was due then was seen */
};
struct lanes {
	struct lane *list;
	size_t n, cap, turn;
	size_t round;		/* in each a person gives one message, and each begins a lane later */
	bool look;		/* the next look begins from the start, with all that was passed over */
	bool force;		/* everything is due (a flush), */
	int64_t *tried;		/* but for these rows, deferred in this flush */
	size_t ntried, captried;
	bool tried_sorted;
	int64_t looked;		/* wall us: of the last look */
	int64_t due;		/* wall us: when something more falls due; INT64_MAX never; */
	bool due_known;		/* false: it has to be asked for */
	struct error trouble;	/* why the queue cannot be read; REASON_NONE: it can */
	deadline wait;		/* it could not: again then, */
	deadline reported;	/* and logged again then */
};

/* Something changed: look at everything again. */
void lanes_reset(struct outpostd *d);
/* When something falls due may have changed. */
void lanes_changed(struct outpostd *d);
/* A message came. */
void lanes_new_mail(struct outpostd *d, uint32_t uid, int64_t due);
/* Recipients of a message of this user's may be due still. */
void lanes_again(struct outpostd *d, uint32_t uid);
void lanes_force(struct outpostd *d, bool on);
void lanes_deferred(struct outpostd *d, int64_t row);
void lanes_free(struct outpostd *d);

/* Finds users whose mail has fallen due. Users who have a lane go on where they were. */
void lanes_look(struct outpostd *d);
/* The next message of the next user who has one; NULL: there is none, or the queue cannot be read. *undo is the
 * cursor to put back if the message is not taken. */
struct lane *lanes_next(struct outpostd *d, struct queue_message *m, struct queue_cursor *undo);
bool lanes_dry(const struct outpostd *d);	/* all that was due at the last look was seen */
/* Wall us: when something falls due that was not seen; 0: it is; INT64_MAX: never. */
int64_t lanes_due(struct outpostd *d);
/* Why the queue cannot be read, or NULL. */
const struct error *lanes_trouble(const struct outpostd *d);
void lanes_forget_trouble(struct outpostd *d);

/* ---- schedule.c: gives due messages to agents. Work stops where no agent has room. An agent is started when
 * something is due, its relay may be tried, and either none is there or those that are there have been full for a
 * while. */

struct schedule {
	bool skipped;		/* something was passed over for want of room */
	bool paced;		/* something was passed over because of its relay's rate */
	/* wall us: when a relay for which something was passed over may be tried, or given more; INT64_MAX */
	int64_t again;
	deadline rest;		/* handing out took long, and until then it is the others' turn */
};

/* Something changed: look at everything again. */
void schedule_reset(struct outpostd *d);
void schedule_claim_over(struct outpostd *d, struct claim *c);
bool schedule_work(struct outpostd *d);		/* hands out; whether more could be done at once */
bool schedule_idle(struct outpostd *d);		/* all that could be sent now is sent */
bool schedule_empty(struct outpostd *d);	/* nothing is queued, now or for later */
deadline schedule_deadline(struct outpostd *d);

/* ---- agent_process.c: delivery agents, each one connection to a relay. They are started when mail is due, given
 * the session, and then kept a window of messages ahead of their verdicts. */

enum {
	AGENT_OUT_MAX = 8 << 20,	/* frames not yet taken by an agent */
	AGENT_FEED = 512 << 10,		/* no new message while more than this is unsent */
};

enum agent_state { AGENT_STARTING, AGENT_READY, AGENT_QUITTING, AGENT_OVER };
enum agent_result {
	RESULT_NONE,
	RESULT_DEFERRED,	/* 4xx for a message; whether that was meant for us shows how the session ends */
	RESULT_PROGRESS,	/* a message was taken, or refused for good */
};
struct agent {
	/* agent_process.c */
	struct watch watch;
	struct agent *next;
	struct outpostd *d;
	struct relay *relay;
	pid_t pid;
	enum agent_state state;
	struct buf in, out;
	uint64_t seq;
	struct claim *first, **last;	/* claims without DONE */
	size_t outstanding;
	unsigned used;			/* messages done over this connection */
	bool alive;			/* its names are looked up: from here on it gives signs of life */
	int64_t heard;			/* monotonic ms: when it last sent anything, or got something to do */
	/* it has been silent for too long: until then it may still explain itself; 0: it has not */
	deadline doubt;
	uint64_t reuse_limit;		/* messages; 0: any number */
	deadline reuse_until;
	deadline since, idle;
	char where[400];		/* "host[ip]:port"; "" before it was let in */
	/* session_end.c */
	enum agent_result result;
	/* agent_credential.c */
	bool secret;			/* out holds one: wipe it when it is empty */
	char kind;			/* of credential: 'P', 'T'; 0: none yet */
	char digest[72];		/* of the credential it was given */
	struct credential_question *question;	/* a program or endpoint is being asked for the credential */
	struct watch asking;
};
struct agents {
	struct agent *first;
	size_t window;			/* messages one may have ahead of its verdicts */
	int64_t idle_ms;
};

void agents_configure(struct outpostd *d);
int agent_start(struct outpostd *d, struct relay *r, struct error *err);
bool agent_has_room(const struct agent *a);
int agent_give(struct agent *a, struct claim *c);	/* the caller flushes */
void agent_flush(struct agent *a);
void agent_quit(struct agent *a);
void agents_tick(struct outpostd *d);
deadline agents_deadline(struct outpostd *d);
void agents_reap(struct outpostd *d);
void agents_stop(struct outpostd *d, bool now);
size_t agents_count(const struct outpostd *d);
/* Whether one is starting for r, or for any relay (NULL). */
bool agent_starts(const struct outpostd *d, const struct relay *r);

/* ---- for agent_frames.c and settle.c */
/* Takes the oldest claim without DONE from it; NULL: there is none. */
struct claim *agent_take_claim(struct agent *a);
/* It is let in, where `ready` says. */
void agent_let_in(struct agent *a, const struct delivery_ready *ready);
/* A message is done. */
void agent_served(struct agent *a);
/* It said its last. */
void agent_over(struct agent *a);

/* ---- agent_feed.c: a message as frames for an agent: the envelope, the header rewritten, the stored body. */

int feed_begin(struct agent *a, struct claim *c, struct error *err);	/* START, and the whole body when it is small */
void feed_body(struct claim *c);					/* GET: the body, from its beginning */
/* what fits of it now; again when there is room */
int feed_more(struct agent *a, struct claim *c);

/* ---- agent_credential.c: the credential for an agent that asks for it. */

/* At once, or when the program or token endpoint that is asked for it has answered. */
void credential_give(struct agent *a);
/* It is no longer expected. */
void credential_forget(struct agent *a);

/* ---- agent_frames.c: what agents send. All of it is frames; an agent that breaks the grammar is killed and counts
 * as dead. */

/* Handles all whole frames in a->in. False: what is there is no frame, or there is no memory to read it. */
bool agent_take_frames(struct agent *a);

/* ---- settle.c: verdicts of agents become facts. They are gathered for a few milliseconds while more are to be
 * expected, written in one transaction with the bounces that follow from them, and logged when they are committed.
 * Until then the claim stays, so that no agent is offered the message again. */

struct settlement {
	struct verdict *verdicts;
	size_t n, cap;		/* those that are not stored */
	size_t withheld;	/* of these: they wait for the others of their message */
	deadline since;		/* the first of those that are not withheld came */
};

int settle_verdict(struct outpostd *d, struct agent *a, struct claim *c, const struct delivery_verdict *v);
void settle_done(struct outpostd *d, struct claim *c, const struct delivery_done *done);
/* An agent ended: what it had goes back. died: it gave no reason. */
void settle_abandon(struct outpostd *d, struct agent *a, const struct delivery_down *why, bool died);
/* A message that waits for a relay that is down: only its age counts. */
void settle_age(struct outpostd *d, struct claim *c, const struct relay *r);
void settle_unsendable(struct outpostd *d, struct claim *c, const struct error *err);

/* Whether anything waits for the next commit; whether that commit should be now. */
bool settle_waits(const struct outpostd *d);
deadline settle_deadline(const struct outpostd *d);
int settle_write(struct outpostd *d, struct error *err);
void settle_committed(struct outpostd *d);
void settle_failed(struct outpostd *d);
void settle_free(struct outpostd *d);

/* ---- bounce.c: notifications to senders: failure, delay, success where the relay cannot report it. A notification
 * is put into the queue by the same transaction that settles what it reports, so it is neither lost nor made twice.
 * It comes from <>, and is itself never followed by another: nothing can multiply. */

struct bounce_recipient {
	const struct queue_recipient *r;
	const char *dsn, *text, *relay;
	int64_t when;
};
struct bounces {
	struct bounce_made *list;	/* in the transaction that is open */
	size_t n, cap;
};

/* Inside the transaction. */
int bounce_put(struct outpostd *d, const struct queue_message *m, enum dsn_action action,
	       const struct bounce_recipient *list, size_t n, struct error *err);
void bounce_committed(struct outpostd *d);
void bounce_forget(struct outpostd *d);
void bounces_free(struct outpostd *d);

/* ---- message_lifetime.c: after a relay was found down, the messages that wait for it are looked at for their age:
 * warned of, or expired. */

struct expiry {
	struct relay *relay;	/* NULL: none is under way */
	int64_t key;		/* of the last message looked at */
};

void expiry_begin(struct outpostd *d, struct relay *r);
void expiry_tick(struct outpostd *d);

/* ---- commit.c: everything of a turn that waits for the disk goes into one transaction. Before the commit nothing
 * is answered and nothing is forgotten; after it the submissions are ours and the verdicts are facts. If the queue
 * takes no commits, submitters get 75, verdicts are kept and tried again, and nothing more is given to the relay
 * until a commit succeeds. */

struct commit {
	char reason[300];	/* why the queue takes no commits; "": it does */
	deadline again;
	unsigned failures;	/* in a row */
	/* the last one failed: notifications are made without the whole original, however much of it was asked for */
	bool tight;
	bool displaced;		/* the queue was removed or replaced: what is committed is lost */
	deadline in_place;	/* until when that is not checked again */
};

void commit_turn(struct outpostd *d);
deadline commit_deadline(struct outpostd *d);
/* Why the queue takes no commits, and so nothing is sent, or NULL. */
const char *commit_stalled(const struct outpostd *d);
/* False: what was committed is in no queue any more, and outpostd ends. */
bool commit_counts(struct outpostd *d, struct error *err);
bool commit_would_count(struct outpostd *d);	/* the same, checked once a second */

/* ---- inflight_journal.c: which messages are with an agent at this moment, in a small file that outlives outpostd.
 * Only log lines depend on it: when a flusher ends without settling what was under way, the next one reports for
 * each such message that is still queued that it may be delivered twice. */

struct journal {
	char (*slots)[QUEUE_ID];
};

void journal_open(struct outpostd *d);
void journal_close(struct outpostd *d);
void journal_add(struct outpostd *d, struct claim *c);
void journal_remove(struct outpostd *d, struct claim *c);

#endif
