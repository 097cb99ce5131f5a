#include "config.h"
#include "queue/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
	[0] = "queued",
	[EVENT_SENT] = "sent",
	[EVENT_DEFERRED] = "deferred",
	[EVENT_BOUNCED] = "bounced",
	[EVENT_EXPIRED] = "expired",
	[EVENT_HELD] = "held",
	[EVENT_RELEASED] = "released",
	[EVENT_RETRIED] = "retried",
	[EVENT_DELETED] = "deleted",
	[EVENT_WARNED] = "warned",
};

void queue_event_free(struct queue_event *e)
{
	free(e->recipient);
	free(e->dsn);
	free(e->text);
	free(e->relay);
	memset(e, 0, sizeof(*e));
}

static void take_event(sqlite3_stmt *st, struct queue_event *e)
{
	int64_t kind = sqlite3_column_int64(st, 3);

	memset(e, 0, sizeof(*e));
	e->time = sqlite3_column_int64(st, 1);
	db_id_of(sqlite3_column_int64(st, 2), e->id);
	snprintf(e->kind, sizeof(e->kind), "%s",
		 kind >= 0 && kind < (int64_t)(sizeof(kinds) / sizeof(kinds[0])) ? kinds[kind] : "unknown");
	e->recipient = db_text(st, 4, true);
	e->dsn = db_text(st, 5, true);
	e->text = db_text(st, 6, true);
	e->relay = db_text(st, 7, true);
	e->reason = db_reason(st, 8);
}

static int take_events(struct queue *q, sqlite3_stmt *st, int64_t *key, struct queue_event *e, size_t max, size_t *n,
		       struct error *err)
{
	int rc = st ? 0 : -1;

	while (st && *n < max && (rc = db_step(q, st, err)) > 0) {
		*key = sqlite3_column_int64(st, 0);
		take_event(st, &e[(*n)++]);
	}
	if (rc > 0)
		db_done(st);
	return rc < 0 ? -1 : 0;
}

/* Events of one message: that it was queued, then the rest. The key of "queued" is the message's own. */
static int events_of(struct queue *q, int64_t row, int64_t *key, struct queue_event *e, size_t max, size_t *n,
		     struct error *err)
{
	if (*key < row && take_events(q, db_bind(q, SQL_QUEUED_OF, err, "i", row), key, e, max, n, err) < 0)
		return -1;
	return take_events(q, db_bind(q, SQL_EVENTS_OF, err, "iii", row, *key, (int64_t)max), key, e, max, n, err);
}

int queue_events(struct queue *q, const char *id, int64_t *key, struct queue_event *e, size_t max, struct error *err)
{
	int64_t at = *key;
	size_t n = 0;
	int rc;

	if (id)
		rc = events_of(q, (int64_t)strtoull(id, NULL, 16), &at, e, max, &n, err);
	else
		rc = take_events(q, db_bind(q, SQL_EVENTS_ALL, err, "ii", at, (int64_t)max), &at, e, max, &n, err);
	if (rc < 0) {
		while (n)
			queue_event_free(&e[--n]);
		return -1;
	}
	*key = at;
	return (int)n;
}

int queue_rates(struct queue *q, int64_t now, size_t n, uint32_t *sent, uint32_t *failed, struct error *err)
{
	int64_t last = now / (INT64_C(3600) * 1000000), first = last - (int64_t)n;
	sqlite3_stmt *st = db_bind(q, SQL_HOURS, err, "ii", first, last);
	int rc;

	if (!st)
		return -1;
	memset(sent, 0, n * sizeof(*sent));
	memset(failed, 0, n * sizeof(*failed));
	while ((rc = db_step(q, st, err)) > 0) {
		size_t at = (size_t)(sqlite3_column_int64(st, 0) - first - 1);

		sent[at] = (uint32_t)sqlite3_column_int64(st, 1);
		failed[at] = (uint32_t)sqlite3_column_int64(st, 2);
	}
	return rc;
}

int queue_counters(struct queue *q, uint64_t *sent, uint64_t *failed, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_COUNTERS, err, "");
	int rc;

	if (!st)
		return -1;
	*sent = *failed = 0;
	while ((rc = db_step(q, st, err)) > 0) {
		*sent = (uint64_t)sqlite3_column_int64(st, 0);
		*failed = (uint64_t)sqlite3_column_int64(st, 1);
	}
	return rc;
}
