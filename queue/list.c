#include "config.h"
#include "queue/db.h"
#include "base/deadline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const char states[] = "qhfs";

void queue_row_free(struct queue_row *r)
{
	for (size_t i = 0; i < r->nrecipients; i++) {
		free(r->recipients[i].address);
		free(r->recipients[i].original);
		free(r->recipients[i].dsn);
		free(r->recipients[i].text);
	}
	free(r->recipients);
	free(r->user);
	free(r->sender);
	memset(r, 0, sizeof(*r));
}

static int no_memory(struct error *err)
{
	return error_set(err, EX_OSERR, "4.3.0", "no memory");
}

static struct queue_row_recipient *more_room(struct queue_row *r, size_t *capacity)
{
	if (r->nrecipients == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 1;
		struct queue_row_recipient *list = realloc(r->recipients, more * sizeof(*list));

		if (!list)
			return NULL;
		r->recipients = list;
		*capacity = more;
	}
	memset(&r->recipients[r->nrecipients], 0, sizeof(*r->recipients));
	return &r->recipients[r->nrecipients++];
}

static bool complete(const struct queue_row_recipient *p, sqlite3_stmt *st, int dsn, int text)
{
	return p->address && p->original && (p->dsn || sqlite3_column_type(st, dsn) == SQLITE_NULL) &&
	       (p->text || sqlite3_column_type(st, text) == SQLITE_NULL);
}

static int take_waiting(sqlite3_stmt *st, struct queue_row *r, size_t *capacity)
{
	struct queue_row_recipient *p = more_room(r, capacity);

	if (!p)
		return -1;
	p->address = db_text(st, 0, false);
	p->original = db_text(st, sqlite3_column_type(st, 1) == SQLITE_NULL ? 0 : 1, false);
	p->state = (char)sqlite3_column_text(st, 2)[0];
	if (p->state == 'q' && r->state == 'h')
		p->state = 'h';
	p->attempts = (unsigned)sqlite3_column_int(st, 3);
	p->next_attempt = sqlite3_column_int64(st, 4);
	p->last = sqlite3_column_int64(st, 5);
	p->dsn = db_text(st, 6, true);
	p->text = db_text(st, 7, true);
	return complete(p, st, 6, 7) ? 0 : -1;
}

static int take_sent(sqlite3_stmt *st, struct queue_row *r, size_t *capacity)
{
	struct queue_row_recipient *p = more_room(r, capacity);

	if (!p)
		return -1;
	p->address = db_text(st, 0, false);
	p->original = db_text(st, 0, false);
	p->state = 's';
	p->last = sqlite3_column_int64(st, 1);
	p->dsn = db_text(st, 2, true);
	p->text = db_text(st, 3, true);
	return complete(p, st, 2, 3) ? 0 : -1;
}

static int take_each(struct queue *q, enum sql which, struct queue_row *r, size_t *capacity,
		     int (*take)(sqlite3_stmt *, struct queue_row *, size_t *), struct error *err)
{
	sqlite3_stmt *st = db_bind(q, which, err, "i", r->row);
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q, st, err)) > 0)
		if (take(st, r, capacity) < 0) {
			db_done(st);
			return no_memory(err);
		}
	return rc;
}

static int take_row(sqlite3_stmt *st, struct queue_row *r, struct error *err)
{
	memset(r, 0, sizeof(*r));
	r->row = sqlite3_column_int64(st, 0);
	db_id_of(r->row, r->id);
	r->size = (uint64_t)sqlite3_column_int64(st, 1);
	r->arrival = sqlite3_column_int64(st, 2);
	r->uid = (uint32_t)sqlite3_column_int64(st, 3);
	r->state = (char)sqlite3_column_text(st, 4)[0];
	r->sender = db_text(st, 5, false);
	r->user = db_text(st, 6, false);
	return r->sender && r->user ? 0 : no_memory(err);
}

/* One branch for each state, joined by key: each walks its own part of message_state. */
static int write_sql(struct buf *sql, const struct queue_filter *f)
{
	const char *wanted = f->states[0] ? f->states : "qh";
	const char *join = "";

	for (const char *s = wanted; *s && s < wanted + sizeof(f->states); s++) {
		if (!strchr(states, *s))
			continue;
		buf_addf(sql,
			 "%sSELECT m.id AS id, m.size, m.arrival, m.uid, m.state, m.sender,"
			 " (SELECT text FROM word WHERE word.id = m.user) FROM message m INDEXED BY message_state"
			 " WHERE m.state = '%c' AND m.id > ?1%s%s%s%s",
			 join, *s, f->by_uid ? " AND m.uid = ?2" : "", f->sender ? " AND m.sender = ?3" : "",
			 f->older_than ? " AND m.arrival < ?4" : "",
			 f->deferred ? " AND EXISTS (SELECT 1 FROM recipient r WHERE r.message = m.id AND r.attempts > 0)" : "");
		join = " UNION ALL ";
	}
	if (!sql->len)
		return 0;
	buf_adds(sql, " ORDER BY id LIMIT ?5");
	return buf_ok(sql) ? 1 : -1;
}

static sqlite3_stmt *prepare_list(struct queue *q, const struct queue_filter *f, int64_t key, size_t max,
				  struct error *err)
{
	sqlite3_stmt *st = NULL;
	struct buf sql;

	buf_init(&sql, 16384);
	if (write_sql(&sql, f) <= 0)
		error_set(err, EX_USAGE, NULL, "queue: a list of no states");
	else if (sqlite3_prepare_v2(q->db, buf_str(&sql), -1, &st, NULL) != SQLITE_OK)
		db_fail(q, err, "queue");
	buf_free(&sql);
	if (!st)
		return NULL;
	sqlite3_bind_int64(st, 1, key);
	if (f->by_uid)
		sqlite3_bind_int64(st, 2, f->uid);
	if (f->sender)
		sqlite3_bind_text(st, 3, f->sender, -1, SQLITE_STATIC);
	if (f->older_than)
		sqlite3_bind_int64(st, 4, f->older_than);
	sqlite3_bind_int64(st, 5, (int64_t)max);
	return st;
}

static int add_recipients(struct queue *q, struct queue_row *r, struct error *err)
{
	size_t capacity = 0;

	if (take_each(q, SQL_LIST_RECIPIENTS, r, &capacity, take_waiting, err) < 0)
		return -1;
	if (r->state == 's')
		return take_each(q, SQL_LIST_SENT, r, &capacity, take_sent, err);
	return 0;
}

static int take_page(struct queue *q, sqlite3_stmt *st, struct queue_row *rows, size_t max, size_t *n, struct error *err)
{
	size_t recipients = 0;
	int rc = SQLITE_ROW;

	while (*n < max && recipients < QUEUE_LIST_RECIPIENTS && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct queue_row *r = &rows[(*n)++];

		if (take_row(st, r, err) < 0 || add_recipients(q, r, err) < 0)
			return -1;
		recipients += r->nrecipients;
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(q, err, "queue");
}

/* ---- mail that was not tried because its relay is down: the relay's reason is its own */

static int latest_down(void *arg, const struct queue_relay *r)
{
	struct queue_relay *latest = arg;

	if (r->down_since && r->down_until > clock_wall_us() && r->text[0] && r->down_since >= latest->down_since)
		*latest = *r;
	return 0;
}

static bool waits_for_relay(const struct queue_row_recipient *p)
{
	return p->state == 'q' && !p->text;
}

static int give_reason(struct queue_row_recipient *p, const struct queue_relay *down)
{
	char text[sizeof(down->text) + sizeof(down->nexthop) + 40];

	snprintf(text, sizeof(text), "%s is down: %s", down->nexthop, down->text);
	p->text = strdup(text);
	if (!p->dsn && down->dsn[0])
		p->dsn = strdup(down->dsn);
	return p->text && (p->dsn || !down->dsn[0]) ? 0 : -1;
}

static int give_reasons(struct queue *q, struct queue_row *rows, size_t n, struct error *err)
{
	struct queue_relay down = {.down_since = 0};
	bool asked = false;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < rows[i].nrecipients; k++) {
			if (!waits_for_relay(&rows[i].recipients[k]))
				continue;
			if (!asked && queue_relay_list(q, latest_down, &down, err) < 0)
				return -1;
			asked = true;
			if (down.down_since && give_reason(&rows[i].recipients[k], &down) < 0)
				return no_memory(err);
		}
	return 0;
}

int queue_list(struct queue *q, const struct queue_filter *f, int64_t *key, struct queue_row *rows, size_t max,
	       struct error *err)
{
	sqlite3_stmt *st = prepare_list(q, f, *key, max, err);
	size_t n = 0;
	int rc;

	if (!st)
		return -1;
	rc = take_page(q, st, rows, max, &n, err);
	sqlite3_finalize(st);
	if (rc == 0)
		rc = give_reasons(q, rows, n, err);
	if (rc < 0) {
		while (n)
			queue_row_free(&rows[--n]);
		return -1;
	}
	if (n)
		*key = rows[n - 1].row;
	return (int)n;
}

static void add_total(sqlite3_stmt *st, struct queue_totals *t)
{
	uint64_t messages = (uint64_t)sqlite3_column_int64(st, 1), bytes = (uint64_t)sqlite3_column_int64(st, 2);

	switch (sqlite3_column_text(st, 0)[0]) {
	case 'q':
		t->queued = messages;
		t->bytes += bytes;
		break;
	case 'h':
		t->held = messages;
		t->bytes += bytes;
		break;
	case 'f':
		t->failed = messages;
		t->null_failed = (uint64_t)sqlite3_column_int64(st, 3);
		break;
	default:
		break;
	}
}

int queue_totals(struct queue *q, struct queue_totals *t, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_TOTALS, err, "");
	struct queue_totals sum = {0};
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q, st, err)) > 0)
		add_total(st, &sum);
	if (rc < 0 || db_number(q, &sum.oldest, 0, SQL_OLDEST, err, "") < 0)
		return -1;
	*t = sum;
	return 0;
}

/* The digits of an id, or of its beginning: how many, -1 for anything else. */
static int digits(const char *id, uint64_t *value)
{
	int n = 0;

	for (*value = 0; id[n]; n++) {
		char c = id[n];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;

		if (digit < 0 || n == 14)
			return -1;
		*value = *value << 4 | (uint64_t)digit;
	}
	return n ? n : -1;
}

/* Ids have twelve digits, and some day thirteen. */
int queue_find(struct queue *q, const char *id, bool exact, int64_t *row, char full[QUEUE_ID], struct error *err)
{
	uint64_t value;
	int n = digits(id, &value), count = 0;

	for (int length = 12; n > 0 && length <= 13; length++) {
		int shift = 4 * (length - n), rc;
		int64_t first = (int64_t)(value << (shift < 0 ? 0 : shift));
		sqlite3_stmt *st;

		if (shift < 0 || (exact && shift) || (length == 13 && first < INT64_C(1) << 48))
			continue;
		st = db_bind(q, SQL_FIND, err, "ii", first, first + (INT64_C(1) << shift) - 1);
		if (!st)
			return -1;
		while ((rc = db_step(q, st, err)) > 0) {
			*row = sqlite3_column_int64(st, 0);
			count++;
		}
		if (rc < 0)
			return -1;
	}
	if (count == 1)
		db_id_of(*row, full);
	return count > 2 ? 2 : count;
}
