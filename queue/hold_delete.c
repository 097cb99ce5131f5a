#include "config.h"
#include "queue/db.h"

/* Each edit is a transaction of its own: 1 done, 0 not in that state, -1. */
struct edit {
	struct queue *q;
	int64_t row, now;
};

static int in_transaction(const struct edit *e, int (*change)(const struct edit *, struct error *),
			  enum event_kind kind, struct error *err)
{
	struct event event = {.time = e->now, .message = e->row, .kind = kind};
	int rc;

	if (queue_begin(e->q, err) < 0)
		return -1;
	rc = change(e, err);
	if (rc > 0 && db_event(e->q, &event, err) >= 0)
		return db_end(e->q, 1, err);
	queue_rollback(e->q);
	return rc <= 0 ? rc : -1;
}

static int hold(const struct edit *e, struct error *err)
{
	return db_run(e->q, SQL_HOLD, err, "i", e->row);
}

static int release(const struct edit *e, struct error *err)
{
	int rc = db_run(e->q, SQL_RELEASE_MESSAGE, err, "ii", e->now, e->row);

	if (rc > 0 && db_run(e->q, SQL_NOW_RECIPIENTS, err, "ii", e->now, e->row) < 0)
		return -1;
	return rc;
}

static int retry(const struct edit *e, struct error *err)
{
	int rc = db_run(e->q, SQL_RETRY_MESSAGE, err, "ii", e->now, e->row);

	if (rc > 0 && (db_run(e->q, SQL_NOW_RECIPIENTS, err, "ii", e->now, e->row) < 0 ||
		       db_run(e->q, SQL_RETRY_FAILED, err, "ii", e->now, e->row) < 0))
		return -1;
	return rc;
}

static int drop(const struct edit *e, struct error *err)
{
	int64_t chunk;
	uint64_t size;
	int rc = db_row(e->q, SQL_DELETE_FIND, err, "i>ii", e->row, &chunk, &size);

	if (rc <= 0)
		return rc;
	if (db_run(e->q, SQL_DELETE_RECIPIENTS, err, "i", e->row) < 0 || db_drop_body(e->q, chunk, size, err) < 0)
		return -1;
	return db_run(e->q, SQL_DELETE_MESSAGE, err, "ii", e->now, e->row);
}

int queue_hold(struct queue *q, int64_t row, int64_t now, struct error *err)
{
	return in_transaction(&(struct edit){q, row, now}, hold, EVENT_HELD, err);
}

int queue_release(struct queue *q, int64_t row, int64_t now, struct error *err)
{
	return in_transaction(&(struct edit){q, row, now}, release, EVENT_RELEASED, err);
}

int queue_retry(struct queue *q, int64_t row, int64_t now, struct error *err)
{
	return in_transaction(&(struct edit){q, row, now}, retry, EVENT_RETRIED, err);
}

int queue_now(struct queue *q, const int64_t *rows, size_t n, int64_t now, struct error *err)
{
	if (queue_begin(q, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (db_run(q, SQL_NOW_MESSAGE, err, "ii", now, rows[i]) < 0 ||
		    db_run(q, SQL_NOW_RECIPIENTS, err, "ii", now, rows[i]) < 0)
			return db_end(q, -1, err);
	return db_end(q, 0, err);
}

int queue_delete(struct queue *q, int64_t row, int64_t now, struct error *err)
{
	return in_transaction(&(struct edit){q, row, now}, drop, EVENT_DELETED, err);
}
