#include "config.h"
#include "queue/db.h"

#include <stdio.h>

/* Small bites: whoever waits at the door waits for one of them. */
enum { FORGET_MESSAGES = 100, FORGET_EVENTS = 500, VACUUM_PAGES = 256, SPARE_PAGES = 128 };

static const int64_t hour_us = INT64_C(3600) * 1000000;

static int forget_one(struct queue *q, const char *state, int64_t before, struct error *err)
{
	int64_t row, chunk;
	uint64_t size;
	int rc = db_row(q, SQL_OLD_MESSAGE, err, "ti>iii", state, before, &row, &chunk, &size);

	if (rc <= 0)
		return rc;
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

/* Of a relay that was used for one sender's login long ago, and is up, nothing is worth keeping: there may be as many
 * as senders. */
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

	if (forget_messages(q, "f", failed_before, more, err) < 0 ||
	    forget_messages(q, "s", events_before, more, err) < 0 ||
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
	return db_end(q, forget_all(q, failed_before, events_before, more, err), err);
}

int queue_give_back_space(struct queue *q, bool *more, struct error *err)
{
	int64_t pages = 0;
	char sql[64];

	*more = false;
	if (db_query(q, "PRAGMA freelist_count", &pages, NULL, 0, err) < 0)
		return -1;
	if (pages <= SPARE_PAGES)
		return 0;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
	if (db_exec(q, sql, err) < 0)
		return -1;
	*more = pages - VACUUM_PAGES > SPARE_PAGES;
	/* The file becomes shorter with the next checkpoint, which an idle queue would wait for in vain. It waits for
	 * no reader. */
	return *more ? 0 : db_exec(q, "PRAGMA wal_checkpoint(PASSIVE)", err);
}
