/*
 * db.h: what the files of this room share: the connection, its prepared statements, errors in words.
 */
#ifndef QUEUE_DB_H
#define QUEUE_DB_H

#include <sqlite3.h>
#include <sys/types.h>

#include "base/limits.h"
#include "queue/queue.h"

enum {
	QUEUE_APPLICATION = 0x6F757470,
	QUEUE_VERSION = 3,
};

enum { QUEUE_FILES = 2 };	/* the database and its WAL */

enum { FLAG_SMTPUTF8 = 1, FLAG_BOUNCE = 2, FLAG_WARNED = 4 };

/* The statements of statements.def by name. */
#define STATEMENT(name, sql) SQL_##name,
enum sql {
#include "queue/statements.def"
	SQL_COUNT
};
#undef STATEMENT

extern const char *const queue_sql[SQL_COUNT];

struct queue {
	sqlite3 *db;
	bool writer;
	bool in_transaction, reading;		/* between queue_begin and queue_commit */
	bool undone, careful;			/* see queue_again */
	bool full;				/* the disk was, in this transaction */
	struct {
		dev_t dev;
		ino_t ino;		/* 0: there is none */
	} files[QUEUE_FILES];			/* a writer's, see queue_in_place */
	int64_t last_key;		/* of message or event */
	bool rewound;			/* there are keys of a later time than that: one may be taken */
	int64_t next_chunk;
	int64_t touched;		/* message whose due time is to be set again before the commit; 0 none */
	int64_t touched_now;
	struct word {			/* the last users and relays that were looked up */
		char text[320];
		int64_t id;
	} user, relay;
	sqlite3_stmt *statements[SQL_COUNT];
	char piece[LIMIT_CHUNK];
};

/* Says in words why the last call on the connection failed. Returns -1. */
int db_fail(struct queue *q, struct error *err, const char *what);
int db_no_memory(struct error *err);

/* The statement, ready for its values: i int64_t, t text or NULL, b blob (pointer, size_t). NULL with *err. What
 * is bound must stay until db_done. */
sqlite3_stmt *db_bind(struct queue *q, enum sql which, struct error *err, const char *format, ...);
/* Steps: 1 a row, 0 no more (or done), -1. On 0 and -1 the statement is reset. */
int db_step(struct queue *q, sqlite3_stmt *st, struct error *err);
/* Resets a statement of which no more rows are needed; NULL is fine. */
void db_done(sqlite3_stmt *st);
/* Binds and runs a statement that gives no rows: how many rows were changed, or -1. */
int db_run(struct queue *q, enum sql which, struct error *err, const char *format, ...);
/* The columns of the row that a statement stands on into what follows: i (u)int64_t *, u uint32_t * (or unsigned *),
 * c the first byte of a text into a char *, r the reason of a name, b a text into (char *, size_t); s a new string into
 * a char **, NULL for NULL; S the same with "" for NULL. -1: out of memory; each string is then a string or NULL. */
int db_read(sqlite3_stmt *st, struct error *err, const char *format, ...);
/* The first row at once, "ii>iS": what is bound (db_bind), then what is read (db_read). 1, 0 without a row (nothing is
 * touched), -1. */
int db_row(struct queue *q, enum sql which, struct error *err, const char *format, ...);
/* Runs SQL that gives numbers or words, and keeps the last one (word may be NULL). */
int db_query(struct queue *q, const char *sql, int64_t *number, char *word, size_t size, struct error *err);
/* Runs constant SQL. */
int db_exec(struct queue *q, const char *sql, struct error *err);

/* What to store for a reason: its name, NULL for REASON_NONE. */
const char *db_reason_name(enum reason r);

/* Ends a transaction: commits what went well (rc >= 0), undoes what did not. rc, or -1. */
int db_end(struct queue *q, int rc, struct error *err);

/* Fails unless a transaction is open. SQLite rolls back by itself when the disk is full: nothing may go on then
 * as if the earlier steps of the transaction still stood. */
int db_inside(struct queue *q, struct error *err);

/* A new key for a message or event, or -1. */
int64_t db_new_key(struct queue *q, struct error *err);
/* The key of a time (us since 1970). */
int64_t db_key_of(int64_t time);
void db_id_of(int64_t key, char id[QUEUE_ID]);

/* The number of a string in table word. */
int db_word(struct queue *q, struct word *cache, const char *text, int64_t *id, struct error *err);

/* One line of history. */
enum event_kind {
	EVENT_SENT = 1,
	EVENT_DEFERRED,
	EVENT_BOUNCED,
	EVENT_EXPIRED,
	EVENT_HELD,
	EVENT_RELEASED,
	EVENT_RETRIED,
	EVENT_DELETED,
	EVENT_WARNED,
};
struct event {
	int64_t time, message;
	enum event_kind kind;
	const char *recipient, *dsn, *text, *relay;	/* NULL: none */
	enum reason reason;
};
int db_event(struct queue *q, const struct event *e, struct error *err);

/* Removes the body of a message. */
int db_drop_body(struct queue *q, int64_t chunk, uint64_t size, struct error *err);
/* Moves the due time of the message that was touched; before a commit. */
int db_flush_touched(struct queue *q, struct error *err);

/* From `version`, an older one, to QUEUE_VERSION, in one transaction. */
int db_migrate(struct queue *q, int64_t version, struct error *err);

/* Whether the lock file that is open is the one that has this name. */
bool lock_is_at(int fd, const char *path);

#endif
