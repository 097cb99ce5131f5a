#include "config.h"
#include "queue/db.h"

#include <stdio.h>
#include <string.h>

/* Small bites: whoever waits at the door waits for one of them. */
enum { FORGET_MESSAGES = 100, FORGET_EVENTS = 500, VACUUM_PAGES = 256, SPARE_PAGES = 128 };

static const int64_t hour_us = INT64_C(3600) * 1000000;

static int forget_one(struct queue *q, const char *state, int64_t before, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_OLD_MESSAGE, err, "ti", state, before);
	int rc = st ? db_step(q, st, err) : -1;
	int64_t row, chunk;
	uint64_t size;

	if (rc <= 0)
		return rc;
	row = sqlite3_column_int64(st, 0);
	chunk = sqlite3_column_int64(st, 1);
	size = (uint64_t)sqlite3_column_int64(st, 2);
	db_done(st);
	if (*state == 'f' &&
	    (db_drop_body(q, chunk, size, err) < 0 || db_run(q, SQL_DELETE_RECIPIENTS, err, "i", row) < 0))
		return -1;
	return db_run(q, SQL_FORGET_MESSAGE, err, "i", row) < 0 ? -1 : 1;
}

static int forget_messages(struct queue *q, const char *state, int64_t before, bool *more, struct error *err)
{
	for (int i = 0; i < FORGET_MESSAGES; i++) {
		int rc = forget_one(q, state, before, err);

		if (rc <= 0)
			return rc;
	}
	*more = true;
	return 0;
}

/* Of a relay that was used for one sender's login long ago, and is up, nothing is worth keeping: there may be as many as senders. */
static int forget_logins(struct queue *q, int64_t before, bool *more, struct error *err)
{
	int gone = db_run(q, SQL_RELAY_FORGET, err, "ii", before, (int64_t)FORGET_EVENTS);

	if (gone == FORGET_EVENTS)
		*more = true;
	return gone < 0 ? -1 : 0;
}

static int forget_all(struct queue *q, int64_t failed_before, int64_t events_before, bool *more, struct error *err)
{
	int gone;

	if (forget_messages(q, "f", failed_before, more, err) < 0 || forget_messages(q, "s", events_before, more, err) < 0 ||
	    forget_messages(q, "x", events_before, more, err) < 0)
		return -1;
	gone = db_run(q, SQL_FORGET_EVENTS, err, "ii", db_key_of(events_before), (int64_t)FORGET_EVENTS);
	if (gone < 0 || db_run(q, SQL_FOLD_HOURS, err, "i", events_before / hour_us - 1) < 0 ||
	    db_run(q, SQL_FORGET_HOURS, err, "i", events_before / hour_us - 1) < 0)
		return -1;
	if (gone == FORGET_EVENTS)
		*more = true;
	return forget_logins(q, events_before, more, err);
}

int queue_expire_history(struct queue *q, int64_t failed_before, int64_t events_before, bool *more, struct error *err)
{
	*more = false;
	if (queue_begin(q, err) < 0)
		return -1;
	if (forget_all(q, failed_before, events_before, more, err) < 0) {
		queue_rollback(q);
		return -1;
	}
	return queue_commit(q, err);
}

/* Runs SQL that gives numbers or words and keeps the last one; finalizes it before it returns. */
static int ask(struct queue *q, const char *sql, int64_t *number, char *word, size_t size, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
		return db_fail(q, err, "queue");
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		*number = sqlite3_column_int64(st, 0);
		if (word)
			db_copy(st, 0, word, size);
	}
	if (rc != SQLITE_DONE)
		db_fail(q, err, "queue");
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int queue_give_back_space(struct queue *q, bool *more, struct error *err)
{
	int64_t pages = 0;
	char sql[64];

	*more = false;
	if (ask(q, "PRAGMA freelist_count", &pages, NULL, 0, err) < 0)
		return -1;
	if (pages <= SPARE_PAGES)
		return 0;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
	if (db_exec(q, sql, err) < 0)
		return -1;
	*more = pages - VACUUM_PAGES > SPARE_PAGES;
	/* The file becomes shorter with the next checkpoint, which an idle queue would wait for in vain. It waits for no reader. */
	return *more ? 0 : db_exec(q, "PRAGMA wal_checkpoint(PASSIVE)", err);
}

int queue_shift_times(struct queue *q, int64_t before, int64_t by_us, struct error *err)
{
	long long by = by_us, limit = before;
	char sql[800];

	snprintf(sql, sizeof(sql),
		 "UPDATE recipient SET next = next + %lld, last = last + %lld"
		 " WHERE (SELECT arrival FROM message WHERE id = recipient.message) < %lld;"
		 "UPDATE message SET arrival = arrival + %lld, due = due + %lld, done = done + %lld WHERE arrival < %lld;"
		 "UPDATE relay SET down_since = down_since + %lld, down_until = down_until + %lld"
		 " WHERE down_until <> 0 AND down_since < %lld;"
		 "UPDATE OR REPLACE pause SET since = since + %lld, until = until + %lld WHERE since < %lld;",
		 by, by, limit, by, by, by, limit, by, by, limit, by, by, limit);
	if (queue_begin(q, err) < 0)
		return -1;
	if (db_exec(q, sql, err) < 0) {
		queue_rollback(q);
		return -1;
	}
	return queue_commit(q, err);
}

/* Both ways, user by user: each is a step down an index. */
static int mend_queued(struct queue *q, int64_t now, int64_t latest, int64_t *mended, struct error *err)
{
	int64_t uid = -1;
	int n, m;

	for (;;) {
		if (db_number(q, &uid, -1, SQL_USER_ABOVE, err, "i", uid) < 0)
			return -1;
		if (uid < 0)
			return 0;
		if (db_run(q, SQL_MEND_DUE_RECIPIENTS, err, "iii", now, uid, latest) < 0)
			return -1;
		n = db_run(q, SQL_MEND_DUE, err, "iii", now, uid, latest);
		m = db_run(q, SQL_MEND_LONG_AGO, err, "iii", now, uid, QUEUE_EPOCH);
		if (n < 0 || m < 0)
			return -1;
		*mended += n + m;
	}
}

static int mend_others(struct queue *q, int64_t now, int64_t *mended, struct error *err)
{
	static const char *const done[] = {"f", "s", "x"};
	int n = db_run(q, SQL_MEND_HELD, err, "ii", now, QUEUE_EPOCH);

	if (n < 0 || db_run(q, SQL_MEND_AHEAD, err, "ii", now, db_key_of(now)) < 0)
		return -1;
	*mended += n;
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		if (db_run(q, SQL_MEND_DONE, err, "iti", now, done[i], QUEUE_EPOCH) < 0)
			return -1;
	return 0;
}

int64_t queue_mend_times(struct queue *q, int64_t now, int64_t latest, struct error *err)
{
	int64_t mended = 0;

	if (now < QUEUE_EPOCH)
		return 0;
	if (queue_begin(q, err) < 0)
		return -1;
	if (mend_queued(q, now, latest, &mended, err) < 0 || mend_others(q, now, &mended, err) < 0) {
		queue_rollback(q);
		return -1;
	}
	return queue_commit(q, err) < 0 ? -1 : mended;
}

/* What SQLite does not know: that the counts are true, and that nothing lacks its other half. */
static const struct {
	const char *sql, *text;
} sums[] = {
	{"SELECT count(*) FROM total t WHERE messages <> (SELECT count(*) FROM message m WHERE m.state = t.state)",
	 "the totals don't agree with the messages"},
	{"SELECT count(*) FROM recipient r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = r.message)",
	 "recipients without a message"},
	{"SELECT count(*) FROM message m WHERE state IN ('q', 'h') AND unsent <>"
	 " (SELECT count(*) FROM recipient r WHERE r.message = m.id AND r.state = 'q')",
	 "messages whose recipients are not all there"},
	{"SELECT count(*) FROM message m WHERE state IN ('q', 'h', 'f') AND size > 0 AND (NOT EXISTS"
	 " (SELECT 1 FROM chunk c WHERE c.id = m.chunk) OR NOT EXISTS"
	 " (SELECT 1 FROM chunk c WHERE c.id = m.chunk + (m.size - 1) / 65536))",
	 "messages without their body"},
};

static int check_sums(struct queue *q, struct error *err)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		int64_t n = 0;

		if (ask(q, sums[i].sql, &n, NULL, 0, err) < 0)
			return -1;
		if (n) {
			error_set(err, REASON_DATA, "queue: %s (%lld)", sums[i].text, (long long)n);
			return 1;
		}
	}
	return 0;
}

int queue_check(struct queue *q, bool thorough, struct error *err)
{
	char word[300] = "";
	int64_t ignored = 0;

	if (ask(q, thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", &ignored, word, sizeof(word), err) < 0)
		return error_exit(err) == EX_IOERR || error_exit(err) == EX_DATAERR ? 1 : -1;
	if (strcmp(word, "ok") != 0) {
		const char *line = strrchr(word, '\n'); /* above it stands which of our one database */

		error_set(err, REASON_DATA, "queue: the database is damaged: %s", line ? line + 1 : word);
		return 1;
	}
	return thorough ? check_sums(q, err) : 0;
}
