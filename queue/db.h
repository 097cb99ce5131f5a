/*
 * db.h: what the files of this room share: the connection, its prepared statements, errors in words.
 */
#ifndef QUEUE_DB_H
#define QUEUE_DB_H

#include <sqlite3.h>
#include <sys/types.h>

#include "base/limits.h"
#include "queue/queue.h"
#include "queue/sql.h"

enum {
	QUEUE_APPLICATION = 0x6F757470,
	QUEUE_VERSION = 3,
};

enum { QUEUE_FILES = 2 };	/* the database and its WAL */

enum { FLAG_SMTPUTF8 = 1, FLAG_BOUNCE = 2, FLAG_WARNED = 4 };

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
/* The first column of the first row, `none` without a row. */
int db_number(struct queue *q, int64_t *out, int64_t none, enum sql which, struct error *err, const char *format, ...);
/* Runs SQL that gives numbers or words, and keeps the last one (word may be NULL). */
int db_query(struct queue *q, const char *sql, int64_t *number, char *word, size_t size, struct error *err);
/* Runs constant SQL. */
int db_exec(struct queue *q, const char *sql, struct error *err);

/* A text column as a new string; "" for NULL when not nullable. NULL: out of memory (or NULL, nullable). */
char *db_text(sqlite3_stmt *st, int column, bool nullable);
/* The same into a buffer. */
void db_copy(sqlite3_stmt *st, int column, char *out, size_t size);
/* A column that holds a name of reasons.def, and what to store in one: NULL for REASON_NONE. */
enum reason db_reason(sqlite3_stmt *st, int column);
const char *db_reason_name(enum reason r);

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
