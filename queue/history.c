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

static int take_event(sqlite3_stmt *st, int64_t *key, struct queue_event *e, struct error *err)
{
	int64_t message;
	uint32_t kind;
	int rc;

	memset(e, 0, sizeof(*e));
	rc = db_read(st, err, "iiiussssr", key, &e->time, &message, &kind, &e->recipient, &e->dsn, &e->text, &e->relay,
		     &e->reason);
	db_id_of(message, e->id);
	snprintf(e->kind, sizeof(e->kind), "%s", kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : "unknown");
	return rc;
}

static int take_events(struct queue *q, sqlite3_stmt *st, int64_t *key, struct queue_event *e, size_t max, size_t *n,
		       struct error *err)
{
	int rc = st ? 0 : -1;

	while (st && *n < max && (rc = db_step(q, st, err)) > 0)
		if (take_event(st, key, &e[(*n)++], err) < 0) {
			db_done(st);
			return -1;
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

int queue_counters(struct queue *q, int64_t since, uint64_t *sent, uint64_t *failed, struct error *err)
{
	return db_row(q, SQL_HOURS, err, "i>ii", since / (INT64_C(3600) * 1000000), sent, failed) < 0 ? -1 : 0;
}
