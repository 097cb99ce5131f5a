#include "config.h"
#include "queue/db.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"

#define STATEMENT(name, sql) [SQL_##name] = sql,
const char *const queue_sql[SQL_COUNT] = {
#include "queue/statements.def"
};
#undef STATEMENT

/* What the results of SQLite mean to a person, and whether a retry can help. */
static const struct {
	int rc;
	enum reason reason;
	const char *text;
} meanings[] = {
	{SQLITE_FULL, REASON_STORAGE_FULL, "the disk is full"},
	{SQLITE_BUSY, REASON_TEMPORARY, "another program holds the queue database"},
	{SQLITE_LOCKED, REASON_TEMPORARY, "another program holds the queue database"},
	{SQLITE_NOMEM, REASON_TEMPORARY, "out of memory"},
	{SQLITE_READONLY, REASON_TEMPORARY, "the queue database can only be read"},
	{SQLITE_PERM, REASON_PERMISSION, "no right to the queue database"},
	{SQLITE_CANTOPEN, REASON_TEMPORARY, "the queue database can't be opened"},
	{SQLITE_CORRUPT, REASON_QUEUE_DAMAGED,
	 "the queue database is damaged; outpost-queue(7) shows how to recover it"},
	{SQLITE_NOTADB, REASON_QUEUE_DAMAGED, "the queue database is damaged, or no database"},
	{SQLITE_IOERR, REASON_IO, "the queue database can't be read or written"},
	{SQLITE_INTERRUPT, REASON_TEMPORARY, "interrupted"},
};

int db_fail(struct queue *q, struct error *err, const char *what)
{
	int rc = q->db ? sqlite3_extended_errcode(q->db) : SQLITE_NOMEM;
	int system = q->db ? sqlite3_system_errno(q->db) : 0;
	const char *detail = q->db ? sqlite3_errmsg(q->db) : "out of memory";

	q->full |= (rc & 0xFF) == SQLITE_FULL;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].rc == (rc & 0xFF))
			return error_set(err, meanings[i].reason, "%s: %s (%s%s%s)", what, meanings[i].text,
					 detail, system ? ", " : "", system ? strerror(system) : "");
	return error_set(err, REASON_INTERNAL, "%s: SQLite says \"%s\" (%d)", what, detail, rc);
}

int db_no_memory(struct error *err)
{
	return error_set(err, REASON_SYSTEM, "out of memory");
}

static sqlite3_stmt *prepared(struct queue *q, enum sql which, struct error *err)
{
	if (!q->statements[which] && sqlite3_prepare_v3(q->db, queue_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
							&q->statements[which], NULL) != SQLITE_OK) {
		db_fail(q, err, "queue");
		return NULL;
	}
	return q->statements[which];
}

static int bind_one(sqlite3_stmt *st, int at, char kind, va_list *ap)
{
	const void *p;

	switch (kind) {
	case 'i':
		return sqlite3_bind_int64(st, at, va_arg(*ap, int64_t));
	case 't':
		return sqlite3_bind_text(st, at, va_arg(*ap, const char *), -1, SQLITE_STATIC);
	default:
		p = va_arg(*ap, const void *);
		return sqlite3_bind_blob64(st, at, p, va_arg(*ap, size_t), SQLITE_STATIC);
	}
}

static sqlite3_stmt *bind_all(struct queue *q, enum sql which, struct error *err, const char *format, va_list *ap)
{
	sqlite3_stmt *st = prepared(q, which, err);

	for (int i = 0; st && format[i] && format[i] != '>'; i++)
		if (bind_one(st, i + 1, format[i], ap) != SQLITE_OK) {
			db_fail(q, err, "queue");
			db_done(st);
			return NULL;
		}
	return st;
}

sqlite3_stmt *db_bind(struct queue *q, enum sql which, struct error *err, const char *format, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, format);
	st = bind_all(q, which, err, format, &ap);
	va_end(ap);
	return st;
}

int db_step(struct queue *q, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		db_fail(q, err, "queue");
	db_done(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

void db_done(sqlite3_stmt *st)
{
	if (!st)
		return;
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int db_run(struct queue *q, enum sql which, struct error *err, const char *format, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, format);
	st = bind_all(q, which, err, format, &ap);
	va_end(ap);
	if (!st || db_step(q, st, err) < 0)
		return -1;
	return sqlite3_changes(q->db);
}

static void copy_text(const char *text, char *out, size_t size)
{
	snprintf(out, size, "%s", text ? text : "");
}

/* False: no memory. */
static bool read_string(sqlite3_stmt *st, int column, bool nullable, char **out)
{
	const char *text = (const char *)sqlite3_column_text(st, column);
	bool null = !text && nullable && sqlite3_column_type(st, column) == SQLITE_NULL;

	*out = null ? NULL : strdup(text ? text : "");
	return null || *out;
}

static bool read_one(sqlite3_stmt *st, int column, char kind, va_list *ap)
{
	const char *text;
	char *out;

	switch (kind) {
	case 'i':
		*va_arg(*ap, int64_t *) = sqlite3_column_int64(st, column);
		return true;
	case 'u':
		*va_arg(*ap, uint32_t *) = (uint32_t)sqlite3_column_int64(st, column);
		return true;
	case 'c':
		text = (const char *)sqlite3_column_text(st, column);
		*va_arg(*ap, char *) = text ? text[0] : '\0';
		return true;
	case 'r':
		*va_arg(*ap, enum reason *) = reason_find((const char *)sqlite3_column_text(st, column));
		return true;
	case 'b':
		out = va_arg(*ap, char *);
		copy_text((const char *)sqlite3_column_text(st, column), out, va_arg(*ap, size_t));
		return true;
	default:
		return read_string(st, column, kind == 's', va_arg(*ap, char **));
	}
}

static int read_all(sqlite3_stmt *st, struct error *err, const char *format, va_list *ap)
{
	bool ok = true;

	for (int i = 0; format[i]; i++)
		ok &= read_one(st, i, format[i], ap);
	return ok ? 0 : db_no_memory(err);
}

int db_read(sqlite3_stmt *st, struct error *err, const char *format, ...)
{
	va_list ap;
	int rc;

	va_start(ap, format);
	rc = read_all(st, err, format, &ap);
	va_end(ap);
	return rc;
}

int db_row(struct queue *q, enum sql which, struct error *err, const char *format, ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int rc;

	va_start(ap, format);
	st = bind_all(q, which, err, format, &ap);
	rc = st ? db_step(q, st, err) : -1;
	if (rc > 0) {
		rc = read_all(st, err, strchr(format, '>') + 1, &ap) < 0 ? -1 : 1;
		db_done(st);
	}
	va_end(ap);
	return rc;
}

int db_exec(struct queue *q, const char *sql, struct error *err)
{
	if (sqlite3_exec(q->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(q, err, "queue");
	return 0;
}

int db_query(struct queue *q, const char *sql, int64_t *number, char *word, size_t size, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
		return db_fail(q, err, "queue");
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		*number = sqlite3_column_int64(st, 0);
		if (word)
			copy_text((const char *)sqlite3_column_text(st, 0), word, size);
	}
	if (rc != SQLITE_DONE)
		db_fail(q, err, "queue");
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

const char *db_reason_name(enum reason r)
{
	return r == REASON_NONE ? NULL : reason_name(r);
}

int db_inside(struct queue *q, struct error *err)
{
	if (q->in_transaction && !sqlite3_get_autocommit(q->db))
		return 0;
	return error_set(err, REASON_TEMPORARY,
			 q->in_transaction ? "queue: the transaction was undone by an earlier failure"
					   : "queue: no transaction is open");
}

int64_t db_key_of(int64_t time)
{
	return time - QUEUE_EPOCH; /* keys of today have twelve hexadecimal digits */
}

/* Never twice the same while we live; a clock in 1970 counts on from the last one. */
int64_t db_new_key(struct queue *q, struct error *err)
{
	int64_t now = db_key_of(clock_wall_us()), taken = 0;

	do {
		taken = 0;
		q->last_key = now > q->last_key ? now : q->last_key + 1;
		if (q->rewound && db_row(q, SQL_KEY_TAKEN, err, "i>i", q->last_key, &taken) < 0)
			return -1;
	} while (taken);
	return q->last_key;
}

void db_id_of(int64_t key, char id[QUEUE_ID])
{
	snprintf(id, QUEUE_ID, "%012llX", (unsigned long long)key & 0xFFFFFFFFFFFFFFULL);
}

int db_word(struct queue *q, struct word *cache, const char *text, int64_t *id, struct error *err)
{
	bool cacheable = strlen(text) < sizeof(cache->text);

	if (cache->id && cacheable && strcmp(cache->text, text) == 0) {
		*id = cache->id;
		return 0;
	}
	*id = 0;
	if (db_row(q, SQL_WORD_FIND, err, "t>i", text, id) < 0)
		return -1;
	if (!*id) {
		if (db_run(q, SQL_WORD_ADD, err, "t", text) < 0)
			return -1;
		*id = sqlite3_last_insert_rowid(q->db);
	}
	if (cacheable) {
		memcpy(cache->text, text, strlen(text) + 1);
		cache->id = *id;
	}
	return 0;
}
