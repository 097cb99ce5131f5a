#include "config.h"
#include "queue/db.h"

#include <stdlib.h>
#include <string.h>

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

static char letter(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);

	return s ? s[0] : '\0';
}

static int take_message(sqlite3_stmt *st, struct queue_message *m, int *flags, struct error *err)
{
	m->row = sqlite3_column_int64(st, 0);
	db_id_of(m->row, m->id);
	m->uid = (uint32_t)sqlite3_column_int64(st, 1);
	m->user = db_text(st, 2, false);
	m->sender = db_text(st, 3, false);
	m->envid = db_text(st, 4, true);
	m->ret = letter(st, 5);
	m->body = letter(st, 6);
	*flags = sqlite3_column_int(st, 7);
	m->smtputf8 = *flags & FLAG_SMTPUTF8;
	m->bounce = *flags & FLAG_BOUNCE;
	m->size = (uint64_t)sqlite3_column_int64(st, 8);
	m->lines = (uint64_t)sqlite3_column_int64(st, 9);
	m->header_size = (uint32_t)sqlite3_column_int64(st, 10);
	m->arrival = sqlite3_column_int64(st, 11);
	if (!m->user || !m->sender || (!m->envid && sqlite3_column_type(st, 4) != SQLITE_NULL))
		return db_no_memory(err);
	return 0;
}

static int take_recipient(sqlite3_stmt *st, struct queue_message *m, int flags, struct error *err)
{
	struct queue_recipient *r = &m->recipients[m->nrecipients];

	memset(r, 0, sizeof(*r));
	m->nrecipients++;
	r->id = sqlite3_column_int64(st, 0);
	r->address = db_text(st, 1, false);
	r->original = db_text(st, sqlite3_column_type(st, 2) == SQLITE_NULL ? 1 : 2, false);
	r->orcpt = db_text(st, 3, true);
	r->notify = (unsigned)sqlite3_column_int(st, 4);
	r->attempts = (unsigned)sqlite3_column_int(st, 5);
	r->reason = db_reason(st, 6);
	r->last = sqlite3_column_int64(st, 7);
	r->delay_warned = flags & FLAG_WARNED;
	if (!r->address || !r->original || (!r->orcpt && sqlite3_column_type(st, 3) != SQLITE_NULL))
		return db_no_memory(err);
	return 0;
}

static int make_room(struct queue_message *m, size_t *capacity, struct error *err)
{
	size_t more = *capacity ? *capacity * 2 : 1;
	struct queue_recipient *list;

	if (m->nrecipients < *capacity)
		return 0;
	list = realloc(m->recipients, more * sizeof(*list));
	if (!list)
		return db_no_memory(err);
	m->recipients = list;
	*capacity = more;
	return 0;
}

static int take_recipients(struct queue *q, struct queue_message *m, int flags, int64_t due, size_t limit,
			   struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_RECIPIENTS_DUE, err, "iii", m->row, due, (int64_t)limit);
	size_t capacity = 0;
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q, st, err)) > 0)
		if (make_room(m, &capacity, err) < 0 || take_recipient(st, m, flags, err) < 0) {
			db_done(st);
			return -1;
		}
	return rc;
}

static int fetch(struct queue *q, int64_t row, int64_t due, size_t limit, struct queue_message *m, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_MESSAGE, err, "i", row);
	int flags = 0, rc = st ? db_step(q, st, err) : -1;

	memset(m, 0, sizeof(*m));
	if (rc <= 0)
		return rc;
	rc = take_message(st, m, &flags, err);
	db_done(st);
	if (rc == 0)
		rc = take_recipients(q, m, flags, due, limit, err);
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
	sqlite3_stmt *st = db_bind(q, SQL_NEXT_SAME_DUE, err, "iii", (int64_t)uid, c->due, c->row);
	int rc = st ? db_step(q, st, err) : -1;

	if (rc == 0) {
		st = db_bind(q, SQL_NEXT_LATER, err, "iii", (int64_t)uid, c->due, due);
		rc = st ? db_step(q, st, err) : -1;
	}
	if (rc <= 0)
		return rc;
	c->row = sqlite3_column_int64(st, 0);
	c->due = sqlite3_column_int64(st, 1);
	db_done(st);
	return 1;
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
	if (db_number(q, uid, -1, SQL_USER_ABOVE, err, "i", above) < 0)
		return -1;
	if (*uid < 0)
		return 0;
	return db_number(q, due, INT64_MAX, SQL_USER_DUE, err, "ii", *uid, late(arg, (uint32_t)*uid)) < 0 ? -1 : 1;
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
	sqlite3_stmt *st = db_bind(q, SQL_BODY, err, "i", row);
	int rc = st ? db_step(q, st, err) : -1;
	int64_t chunk;
	uint64_t size;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, REASON_NOT_ACCEPTED, "queue: no such message");
	chunk = sqlite3_column_int64(st, 0);
	size = (uint64_t)sqlite3_column_int64(st, 1);
	rc = letter(st, 2);
	db_done(st);
	if (rc == 's' || rc == 'x')
		return error_set(err, REASON_NOT_ACCEPTED, "queue: the body of this message is gone");
	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = (size_t)(size - offset);
	return read_chunks(q, chunk, offset, p, n, err);
}
