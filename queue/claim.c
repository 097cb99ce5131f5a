#include "config.h"
#include "queue/db.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void queue_message_free(struct queue_message *m)
{
	for (size_t i = 0; i < m->nrecipients; i++) {
		free(m->recipients[i].address);
		free(m->recipients[i].original);
		free(m->recipients[i].orcpt);
	}
	free(m->recipients);
	free(m->sender);
	free(m->envid);
	free(m->user);
	memset(m, 0, sizeof(*m));
}

static int take_recipient(sqlite3_stmt *st, struct queue_message *m, size_t *capacity, bool warned, struct error *err)
{
	struct queue_recipient *r = array_add(&m->recipients, &m->nrecipients, capacity, sizeof(*r));

	if (!r)
		return db_no_memory(err);
	r->delay_warned = warned;
	return db_read(st, err, "iSSsuuri", &r->id, &r->address, &r->original, &r->orcpt, &r->notify, &r->attempts,
		       &r->reason, &r->last);
}

static int take_recipients(struct queue *q, struct queue_message *m, bool warned, int64_t due, size_t limit,
			   struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_RECIPIENTS_DUE, err, "iii", m->row, due, (int64_t)limit);
	size_t capacity = 0;
	int rc = -1;

	while (st && (rc = db_step(q, st, err)) > 0)
		if (take_recipient(st, m, &capacity, warned, err) < 0) {
			db_done(st);
			return -1;
		}
	return rc;
}

static int fetch(struct queue *q, int64_t row, int64_t due, size_t limit, struct queue_message *m, struct error *err)
{
	uint32_t flags = 0;
	int rc;

	memset(m, 0, sizeof(*m));
	rc = db_row(q, SQL_MESSAGE, err, "i>iuSSsccuiiui", row, &m->row, &m->uid, &m->user, &m->sender, &m->envid,
		    &m->ret, &m->body, &flags, &m->size, &m->lines, &m->header_size, &m->arrival);
	if (rc > 0) {
		db_id_of(m->row, m->id);
		m->smtputf8 = flags & FLAG_SMTPUTF8;
		m->bounce = flags & FLAG_BOUNCE;
		rc = take_recipients(q, m, flags & FLAG_WARNED, due, limit, err);
	}
	if (rc == 0 && m->nrecipients)
		return 1;
	queue_message_free(m);
	return rc;
}

int queue_fetch(struct queue *q, int64_t row, int64_t now, bool force, size_t limit, struct queue_message *m,
		struct error *err)
{
	return fetch(q, row, force ? INT64_MAX : now, limit, m, err);
}

/* The message behind the cursor: 1, 0. First those with the very same due time, then later ones; each is one step down
 * an index. */
static int move_cursor(struct queue *q, uint32_t uid, int64_t due, struct queue_cursor *c, struct error *err)
{
	int rc = db_row(q, SQL_NEXT_SAME_DUE, err, "iii>ii", (int64_t)uid, c->due, c->row, &c->row, &c->due);

	return rc ? rc : db_row(q, SQL_NEXT_LATER, err, "iii>ii", (int64_t)uid, c->due, due, &c->row, &c->due);
}

int queue_next(struct queue *q, uint32_t uid, int64_t now, bool force, size_t limit, struct queue_cursor *c,
	       struct queue_message *m, struct error *err)
{
	struct queue_cursor at = *c;
	int64_t due = force ? INT64_MAX : now;
	int rc;

	/* A due time may lie before the first next attempt; then there is nobody to send to and the search goes on. */
	for (;;) {
		if (at.due > due)
			return 0;
		rc = move_cursor(q, uid, due, &at, err);
		if (rc <= 0)
			return rc;
		rc = fetch(q, at.row, due, limit, m, err);
		if (rc < 0)
			return -1;
		*c = at;
		if (rc > 0)
			return 1;
	}
}

static int64_t any_time(void *arg, uint32_t uid)
{
	(void)arg, (void)uid;
	return INT64_MIN;
}

/* The next user above, with when the first of their messages is due (of those due after `late`). */
static int user_above(struct queue *q, int64_t above, queue_after late, void *arg, int64_t *uid, int64_t *due,
		      struct error *err)
{
	int rc = db_row(q, SQL_USER_ABOVE, err, "i>i", above, uid);

	*due = INT64_MAX;
	if (rc <= 0)
		return rc;
	return db_row(q, SQL_USER_DUE, err, "ii>i", *uid, late(arg, (uint32_t)*uid), due) < 0 ? -1 : 1;
}

int queue_next_user(struct queue *q, int64_t after, int64_t now, bool force, uint32_t *uid, struct error *err)
{
	int64_t at = after, due;
	int rc;

	while ((rc = user_above(q, at, any_time, NULL, &at, &due, err)) > 0)
		if (force || due <= now) {
			*uid = (uint32_t)at;
			return 1;
		}
	return rc;
}

int queue_due_after(struct queue *q, queue_after after, void *arg, int64_t *when, struct error *err)
{
	int64_t at = -1, due, first = INT64_MAX;
	int rc;

	while ((rc = user_above(q, at, after, arg, &at, &due, err)) > 0)
		if (due < first)
			first = due;
	if (rc == 0)
		*when = first;
	return rc;
}

/* The piece that holds the offset, into p. */
static long read_chunk(struct queue *q, int64_t chunk, uint64_t offset, char *p, size_t n, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_CHUNK, err, "i", chunk + (int64_t)(offset / LIMIT_CHUNK));
	int rc = st ? db_step(q, st, err) : -1;
	size_t skip = offset % LIMIT_CHUNK, have;
	const char *data;

	if (rc < 0)
		return -1;
	data = rc ? sqlite3_column_blob(st, 0) : NULL;
	have = data ? (size_t)sqlite3_column_bytes(st, 0) : 0;
	if (have <= skip) {
		if (rc)
			db_done(st);
		return error_set(err, REASON_NOT_ACCEPTED, "queue: the body of this message is gone");
	}
	if (n > have - skip)
		n = have - skip;
	memcpy(p, data + skip, n);
	db_done(st);
	return (long)n;
}

static long read_chunks(struct queue *q, int64_t chunk, uint64_t offset, char *p, size_t n, struct error *err)
{
	size_t have = 0;

	while (have < n) {
		long got = read_chunk(q, chunk, offset + have, p + have, n - have, err);

		if (got < 0)
			return -1;
		have += (size_t)got;
	}
	return (long)have;
}

long queue_read(struct queue *q, int64_t row, uint64_t offset, char *p, size_t n, struct error *err)
{
	int64_t chunk;
	uint64_t size;
	char state;
	int rc = db_row(q, SQL_BODY, err, "i>iic", row, &chunk, &size, &state);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, REASON_NOT_ACCEPTED, "queue: no such message");
	if (state == 's' || state == 'x')
		return error_set(err, REASON_NOT_ACCEPTED, "queue: the body of this message is gone");
	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = (size_t)(size - offset);
	return read_chunks(q, chunk, offset, p, n, err);
}
