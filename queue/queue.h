/*
 * queue.h: what is owed. The only room that says SQL.
 *
 * One SQLite file, $queue_directory/queue.db, 0600 in a directory 0700, WAL, synchronous=EXTRA. The one
 * writer is the flusher: it holds the flock on $queue_directory/lock. Readers (outpost, read-only) never hold a
 * statement open across I/O. Times are microseconds since 1970, UTC. All strings given out are valid until the next
 * call that says so, or belong to the caller where "free" is said.
 *
 * No statement stays open when a function here returns.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/reason.h"

#define QUEUE_ID 16		/* room for a queue id: upper-case letters and digits, and NUL */
#define QUEUE_TOKEN 16
/* 2026-01-01 00:00:00 UTC in us: keys count from here, and a clock that tells an earlier time does not know the
 * year. */
#define QUEUE_EPOCH INT64_C(1767225600000000)

struct queue;

enum { QUEUE_READ = 0, QUEUE_WRITE = 1, QUEUE_CREATE = 2 };

/* Opens the queue in dir. QUEUE_WRITE requires the lock that queue_lock gives, makes the database when there is none
 * (QUEUE_CREATE), carries one of an older version over, and proves itself with a commit. A newer version, and an older
 * one for a reader, is EX_TEMPFAIL, something that is no database of ours EX_DATAERR or EX_CONFIG, all untouched. */
int queue_open(const char *dir, unsigned flags, struct queue **out, struct error *err);
void queue_close(struct queue *q);

/* The flusher's lock: a descriptor (inheritable by agents on purpose), or -1. With wait, waits until the
 * deadline; without, EX_TEMPFAIL "a flusher is at work". NFS, CIFS, 9p and FUSE are refused (EX_CONFIG). */
int queue_lock(const char *dir, int64_t wait_ms, struct error *err);

/* 0 while the names in dir still lead to the database that was opened for writing and to its lock. Where somebody has
 * removed them, or put a backup in their place, what is committed is lost and another flusher may be at work: -1, and
 * no way back. */
int queue_in_place(const struct queue *q, const char *dir, int lock, struct error *err);

/* ---- put: all puts between begin and commit are one commit. */
struct queue_new_recipient {
	const char *address;	/* rewritten: where it goes */
	const char *original;	/* as submitted */
	const char *orcpt;	/* NULL: none */
	unsigned notify;
};

struct queue_new {
	unsigned char token[QUEUE_TOKEN];
	uint32_t uid;
	const char *user;	/* name of uid, for listings */
	const char *sender;	/* as submitted; "" for the null sender */
	const char *envid;	/* NULL: none */
	char ret, body;
	bool smtputf8;
	bool bounce;		/* made by us: never bounced */
	bool hold;
	uint64_t size;
	uint32_t header_size;
	int64_t arrival;	/* us */
	int64_t next_attempt;	/* us; 0: due at once (-odq: not before the next run) */
	const struct queue_new_recipient *recipients;
	size_t nrecipients;
};

/* Gives the next bytes of the message: how many (at most n), 0 at the end, -1 with *err. */
typedef long (*queue_source)(void *arg, char *p, size_t n, struct error *err);

int queue_begin(struct queue *q, struct error *err);
int queue_commit(struct queue *q, struct error *err);
void queue_rollback(struct queue *q);

/* 0: new, id filled; 1: this uid and token are known, id is the first one's. A source that fails, or gives another size
 * than announced, undoes this put alone. Where the database fails the whole transaction may be undone: the puts after
 * it and queue_commit fail then as well, and queue_again says so. */
int queue_put(struct queue *q, const struct queue_new *n, queue_source source, void *arg, char id[QUEUE_ID],
	      struct error *err);

/* Whether a put has undone the whole transaction (once: then it is forgotten). The others of the group can be had in
 * another try, in which a put that fails undoes itself alone, at twice the cost; so it is until the next commit. */
bool queue_again(struct queue *q);

/* Many reads in a row as one, which spares the locking of each. Nothing is written between the two, and nobody waited
 * for. Inside a write transaction they do nothing. */
void queue_read_begin(struct queue *q);
void queue_read_end(struct queue *q);

/* ---- claim: what is due. Claims live in the flusher's memory. */
struct queue_recipient {
	int64_t id;
	char *address, *original, *orcpt;
	unsigned notify;
	unsigned attempts;
	enum reason reason;	/* of its last deferral */
	int64_t last;		/* us: when that was; 0: not tried yet */
	bool delay_warned;
};

struct queue_message {
	int64_t row;
	char id[QUEUE_ID];
	uint32_t uid;
	char *sender, *envid, *user;
	char ret, body;
	bool smtputf8, bounce;
	uint64_t size, lines;
	uint32_t header_size;
	int64_t arrival;
	struct queue_recipient *recipients;	/* the due ones, at most limit */
	size_t nrecipients;
};
void queue_message_free(struct queue_message *m);	/* zeroed afterwards */

/* The next message with due recipients of this user, after the cursor (due time and row; zeroed to begin
 * with); 1: *m filled and the cursor moved, 0: none. force: whatever its next attempt (flush). */
struct queue_cursor {
	int64_t due, row;
};
int queue_next(struct queue *q, uint32_t uid, int64_t now, bool force, size_t limit, struct queue_cursor *c,
	       struct queue_message *m, struct error *err);
/* One message by its row, with its due recipients (or all queued ones under force). */
int queue_fetch(struct queue *q, int64_t row, int64_t now, bool force, size_t limit, struct queue_message *m,
		struct error *err);
/* The smallest uid above `after` (-1 to begin with) that has something due: 1 and *uid, or 0. */
int queue_next_user(struct queue *q, int64_t after, int64_t now, bool force, uint32_t *uid, struct error *err);
/* When the next queued recipient is due (us), of those due after a time that is asked for each user; INT64_MAX:
 * none. */
typedef int64_t (*queue_after)(void *arg, uint32_t uid);
int queue_due_after(struct queue *q, queue_after after, void *arg, int64_t *when, struct error *err);

/* The message's bytes from offset: n, or those up to the end, -1. Chunk by chunk; keeps nothing open. */
long queue_read(struct queue *q, int64_t row, uint64_t offset, char *p, size_t n, struct error *err);

/* ---- settle: between queue_begin and queue_commit. */
enum queue_fate { QUEUE_SENT = 1, QUEUE_DEFERRED, QUEUE_FAILED };

struct queue_settle {
	int64_t row;		/* message */
	int64_t recipient;
	enum queue_fate fate;
	int64_t now;
	int64_t next_attempt;	/* deferred */
	bool counted;		/* counts as an attempt */
	enum reason reason;	/* deferred or failed */
	const char *dsn;
	const char *text;	/* the relay's words, for mailq and bounce */
	const char *relay;	/* "host[ip]:port" */
};
/* *message_done: no queued or held recipient is left (its body goes, unless some failed: then the message rests). */
int queue_settle(struct queue *q, const struct queue_settle *s, bool *message_done, struct error *err);
int queue_warned(struct queue *q, int64_t row, struct error *err);	/* the delay warning was sent */

/* ---- the relay's state, kept across restarts (key: the nexthop as written). */
enum { QUEUE_PAUSES = 16 };
struct queue_pause {
	int64_t since, until;		/* us */
};
struct queue_relay {
	char nexthop[300];
	int64_t down_since, down_until;	/* us; 0: up */
	uint32_t failures;
	enum reason reason;		/* why it is, or last was, down */
	char dsn[12];
	char text[1024];
	char auth_mark[72];		/* of the credential that was refused; empty: none */
	int64_t last_ok;
	int64_t cert_expires;		/* seconds */
	char known[160];		/* what was learnt by talking to it, in the words of delivery_write_known */
	int64_t not_before;		/* us: its rates allow no message sooner */
	char tls[128], mechanism[32], extensions[256];	/* of its last session */
	/* When it was down and only the administrator could help, oldest first. */
	struct queue_pause pauses[QUEUE_PAUSES];
	size_t npauses;
};
/* 1 there, 0 zeroed */
int queue_relay_get(struct queue *q, const char *nexthop, struct queue_relay *r, struct error *err);
int queue_relay_set(struct queue *q, const struct queue_relay *r, struct error *err);	/* between begin and commit */
int queue_relay_list(struct queue *q, int (*each)(void *, const struct queue_relay *), void *arg, struct error *err);

/* ---- lists: pages by key. */
struct queue_row {
	int64_t row;
	char id[QUEUE_ID];
	uint64_t size;
	int64_t arrival;
	uint32_t uid;
	char *user, *sender;
	char state;		/* 'q' queued, 'h' held, 'f' failed (all remaining), 's' sent (history only) */
	struct queue_row_recipient {
		char *address, *original;
		char state;		/* q h f s */
		unsigned attempts;
		int64_t next_attempt, last;
		enum reason reason;	/* of the last deferral or failure */
		char *dsn, *text;
	} *recipients;
	size_t nrecipients;
	bool more;		/* these are not all: see queue_row_more */
	int64_t last;		/* where they end */
};
struct queue_filter {
	char states[8];		/* which of "qhfs" ; empty: "qh" */
	bool by_uid;
	uint32_t uid;
	const char *sender;	/* NULL: any */
	int64_t older_than;	/* us; 0: any */
	bool deferred;		/* queued ones that had an attempt */
};
/* Up to max rows after *key (0 to begin with) into rows; returns how many (fewer than max where they have many
 * recipients; 0 at the end), moves *key. Free each. */
enum {
	QUEUE_ROW_RECIPIENTS = 500,	/* of a row at once */
	QUEUE_LIST_RECIPIENTS = 2000,	/* of a page; the message with which there are more is the last */
};
int queue_list(struct queue *q, const struct queue_filter *f, int64_t *key, struct queue_row *rows, size_t max,
	       struct error *err);
void queue_row_free(struct queue_row *r);
/* Puts the next recipients of a row in the place of those it has: 1, 0 there are no more (and none are left), -1. */
int queue_row_more(struct queue *q, struct queue_row *r, struct error *err);
/* One message by its key, whatever its state: 1, 0 gone, -1. */
int queue_row(struct queue *q, int64_t key, struct queue_row *row, struct error *err);

struct queue_totals {
	uint64_t queued, held, failed;		/* messages */
	uint64_t bytes;				/* of queued and held */
	int64_t oldest;				/* arrival of the oldest queued; 0 none */
	uint64_t null_failed;			/* failed with <> sender */
};
int queue_totals(struct queue *q, struct queue_totals *t, struct error *err);
/* What each submitter has in the queue, in bytes. Walks through all of it. */
int queue_sizes(struct queue *q, void (*each)(void *arg, uint32_t uid, uint64_t bytes), void *arg, struct error *err);

/* An id or an unambiguous prefix (exact: whole only) to a row: 1, 0 none, 2 ambiguous, -1. */
int queue_find(struct queue *q, const char *id, bool exact, int64_t *row, char full[QUEUE_ID], struct error *err);

/* Events: the history. kind: queued sent deferred bounced expired removed held released retried deleted warned. */
struct queue_event {
	int64_t time;
	char id[QUEUE_ID];
	char kind[16];
	char *recipient, *dsn, *text, *relay;
	enum reason reason;
};
/* id NULL: all */
int queue_events(struct queue *q, const char *id, int64_t *key, struct queue_event *e, size_t max, struct error *err);
void queue_event_free(struct queue_event *e);
/* How many recipients were sent to and failed in the hours from the one of `since` (us) on; 0: since the queue was
 * made, which never decreases. */
int queue_counters(struct queue *q, int64_t since, uint64_t *sent, uint64_t *failed, struct error *err);

/* ---- edits, each its own commit: 1 done, 0 no such message in a state that allows it, -1. */
int queue_hold(struct queue *q, int64_t row, int64_t now, struct error *err);
int queue_release(struct queue *q, int64_t row, int64_t now, struct error *err);
int queue_retry(struct queue *q, int64_t row, int64_t now, struct error *err);	/* deferred now; failed again queued */
/* What is queued in these messages falls due now, in one commit; nothing else of them changes. */
int queue_now(struct queue *q, const int64_t *rows, size_t n, int64_t now, struct error *err);
int queue_delete(struct queue *q, int64_t row, int64_t now, struct error *err);

/* ---- upkeep, by the flusher when it has nothing else to do. *more: call again soon. */
/* Also forgets relays of a sender's own ("[h]:587 sender") that are up and were not used since events_before. */
int queue_expire_history(struct queue *q, int64_t failed_before, int64_t events_before, bool *more, struct error *err);
int queue_give_back_space(struct queue *q, bool *more, struct error *err);
/* The wall clock jumped by by_us. What came at `before` or later was noted by another clock that was right already (a
 * machine that boots in 1970): it stays. */
int queue_shift_times(struct queue *q, int64_t before, int64_t by_us, struct error *err);
/* Corrects times that a wrong clock noted before this run: mail of the future that is
 * due later than `latest` is due now, and mail from before QUEUE_EPOCH came now. How many messages, or -1. */
int64_t queue_correct_times(struct queue *q, int64_t now, int64_t latest, struct error *err);
/* PRAGMA integrity_check, and whether the counts are true: 0 fine; 1 broken, *err says what; -1 could not look. */
int queue_check(struct queue *q, struct error *err);

/* ---- backoff, pure. Exponential from min to max seconds by attempts (1 is the first failure), with
 * up to a quarter of jitter taken from random. */
int64_t queue_backoff_s(unsigned attempts, int64_t min_s, int64_t max_s, uint32_t random);

#endif
