#include "config.h"
#include "queue/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"

static const char states[] = "qhfs";

static void free_recipients(struct queue_row *r)
{
	for (size_t i = 0; i < r->nrecipients; i++) {
		free(r->recipients[i].address);
		free(r->recipients[i].original);
		free(r->recipients[i].dsn);
		free(r->recipients[i].text);
	}
	free(r->recipients);
	r->recipients = NULL;
	r->nrecipients = 0;
}

void queue_row_free(struct queue_row *r)
{
	free_recipients(r);
	free(r->user);
	free(r->sender);
	memset(r, 0, sizeof(*r));
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

static bool take_waiting(sqlite3_stmt *st, const struct queue_row *r, struct queue_row_recipient *p)
{
	p->address = db_text(st, 1, false);
	p->original = db_text(st, sqlite3_column_type(st, 2) == SQLITE_NULL ? 1 : 2, false);
	p->state = (char)sqlite3_column_text(st, 3)[0];
	if (p->state == 'q' && r->state == 'h')
		p->state = 'h';
	p->attempts = (unsigned)sqlite3_column_int(st, 4);
	p->next_attempt = sqlite3_column_int64(st, 5);
	p->last = sqlite3_column_int64(st, 6);
	p->dsn = db_text(st, 7, true);
	p->text = db_text(st, 8, true);
	p->reason = db_reason(st, 9);
	return complete(p, st, 7, 8);
}

static bool take_sent(sqlite3_stmt *st, struct queue_row_recipient *p)
{
	p->address = db_text(st, 1, false);
	p->original = db_text(st, 1, false);
	p->state = 's';
	p->last = sqlite3_column_int64(st, 2);
	p->dsn = db_text(st, 3, true);
	p->text = db_text(st, 4, true);
	return complete(p, st, 3, 4);
}

/* What was sent to left the table of recipients for the events. */
static int add_recipients(struct queue *q, struct queue_row *r, struct error *err)
{
	bool sent = r->state == 's';
	sqlite3_stmt *st = db_bind(q, sent ? SQL_LIST_SENT : SQL_LIST_RECIPIENTS, err, "iii", r->row, r->last,
				   (int64_t)QUEUE_ROW_RECIPIENTS);
	size_t capacity = 0;
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q, st, err)) > 0) {
		struct queue_row_recipient *p = more_room(r, &capacity);

		r->last = sqlite3_column_int64(st, 0);
		if (!p || !(sent ? take_sent(st, p) : take_waiting(st, r, p))) {
			db_done(st);
			return db_no_memory(err);
		}
	}
	r->more = r->nrecipients == QUEUE_ROW_RECIPIENTS;
	return rc;
}

int queue_row_more(struct queue *q, struct queue_row *r, struct error *err)
{
	free_recipients(r);
	if (!r->more)
		return 0;
	return add_recipients(q, r, err) < 0 ? -1 : r->nrecipients > 0;
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
	return r->sender && r->user ? 0 : db_no_memory(err);
}

/* One branch for each state: each walks its own part of message_state. */
static void write_branches(struct buf *sql, const struct queue_filter *f, const char *columns)
{
	const char *wanted = f->states[0] ? f->states : "qh";
	const char *join = "";

	for (const char *s = wanted; *s && s < wanted + sizeof(f->states); s++) {
		if (!strchr(states, *s))
			continue;
		buf_addf(sql, "%sSELECT %s FROM message m INDEXED BY message_state"
			 " WHERE m.state = '%c' AND m.id > ?1%s%s%s%s",
			 join, columns, *s, f->by_uid ? " AND m.uid = ?2" : "", f->sender ? " AND m.sender = ?3" : "",
			 f->older_than ? " AND m.arrival < ?4" : "",
			 f->deferred ? " AND EXISTS (SELECT 1 FROM recipient r"
				       " WHERE r.message = m.id AND r.attempts > 0)" : "");
		join = " UNION ALL ";
	}
}

#define ROW_COLUMNS \
	"m.id AS id, m.size, m.arrival, m.uid, m.state, m.sender, (SELECT text FROM word WHERE word.id = m.user)"

/* The filter's messages with these columns, and what stands around them. */
static sqlite3_stmt *prepare(struct queue *q, const struct queue_filter *f, int64_t key, const char *before,
			     const char *columns, const char *behind, struct error *err)
{
	sqlite3_stmt *st = NULL;
	struct buf sql;

	buf_init(&sql, 16384);
	buf_adds(&sql, before);
	write_branches(&sql, f, columns);
	if (sql.len == strlen(before))
		error_set(err, REASON_USAGE, "queue: a list of no states");
	else if (buf_adds(&sql, behind) < 0)
		db_no_memory(err);
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
	return st;
}

static sqlite3_stmt *prepare_list(struct queue *q, const struct queue_filter *f, int64_t key, size_t max,
				  struct error *err)
{
	sqlite3_stmt *st = prepare(q, f, key, "", ROW_COLUMNS, " ORDER BY id LIMIT ?5", err);

	if (st)
		sqlite3_bind_int64(st, 5, (int64_t)max);
	return st;
}

static int take_page(struct queue *q, sqlite3_stmt *st, struct queue_row *rows, size_t max, size_t *n,
		     struct error *err)
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
	if (rc < 0) {
		while (n)
			queue_row_free(&rows[--n]);
		return -1;
	}
	if (n)
		*key = rows[n - 1].row;
	return (int)n;
}

/* ---- sorted: pages as well, behind the last one of the page before. SQLite walks through all of the queue for each,
 * but keeps no more than a page. */

static const char *const sort_keys[] = {
	[QUEUE_BY_AGE] = "m.id AS id, m.arrival AS came, 0 AS k",
	[QUEUE_BY_SIZE] = "m.id AS id, m.arrival AS came, -m.size AS k",
	[QUEUE_BY_ATTEMPTS] = "m.id AS id, m.arrival AS came,"
			      " -ifnull((SELECT max(r.attempts) FROM recipient r WHERE r.message = m.id), 0) AS k",
	[QUEUE_BY_SENDER] = "m.id AS id, m.arrival AS came, lower(m.sender) AS k",
};

static sqlite3_stmt *prepare_sorted(struct queue *q, const struct queue_filter *f, enum queue_order by,
				    const struct queue_place *at, size_t max, struct error *err)
{
	sqlite3_stmt *st = prepare(q, f, 0, "SELECT id, came, k FROM (", sort_keys[by],
				   at->begun ? ") WHERE (k, came, id) > (?6, ?7, ?8) ORDER BY k, came, id LIMIT ?5"
					     : ") ORDER BY k, came, id LIMIT ?5", err);

	if (!st)
		return NULL;
	sqlite3_bind_int64(st, 5, (int64_t)max);
	if (at->text)
		sqlite3_bind_text(st, 6, at->text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_int64(st, 6, at->number);
	sqlite3_bind_int64(st, 7, at->came);
	sqlite3_bind_int64(st, 8, at->row);
	return st;
}

/* The row that the statement stands on becomes the last one. */
static int move_place(sqlite3_stmt *st, struct queue_place *at)
{
	bool is_text = sqlite3_column_type(st, 2) == SQLITE_TEXT;
	char *text = is_text ? db_text(st, 2, false) : NULL;

	if (is_text && !text)
		return -1;
	queue_place_free(at);
	*at = (struct queue_place){true, is_text ? 0 : sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 1),
				   sqlite3_column_int64(st, 0), text};
	return 0;
}

int queue_sorted(struct queue *q, const struct queue_filter *f, enum queue_order by, struct queue_place *at,
		 int64_t *keys, size_t max, struct error *err)
{
	sqlite3_stmt *st = prepare_sorted(q, f, by, at, max, err);
	size_t n = 0;
	int step = SQLITE_DONE, rc = st ? 0 : -1;

	while (rc == 0 && n < max && (step = sqlite3_step(st)) == SQLITE_ROW) {
		keys[n++] = sqlite3_column_int64(st, 0);
		if (n == max && move_place(st, at) < 0)
			rc = db_no_memory(err);
	}
	if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
		rc = db_fail(q, err, "queue");
	sqlite3_finalize(st);
	return rc < 0 ? -1 : (int)n;
}

void queue_place_free(struct queue_place *at)
{
	free(at->text);
	*at = (struct queue_place){0};
}

int queue_row(struct queue *q, int64_t key, struct queue_row *row, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_LIST_ROW, err, "i", key);
	int rc = st ? db_step(q, st, err) : -1;

	if (rc <= 0)
		return rc;
	rc = take_row(st, row, err);
	db_done(st);
	if (rc == 0)
		rc = add_recipients(q, row, err);
	if (rc < 0)
		queue_row_free(row);
	return rc < 0 ? -1 : 1;
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

int queue_sizes(struct queue *q, void (*each)(void *arg, uint32_t uid, uint64_t bytes), void *arg, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_SIZES, err, "");
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q, st, err)) > 0)
		each(arg, (uint32_t)sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1));
	return rc;
}

/* The digits of an id, or of its beginning: how many, -1 for anything else. */
static int digits(const char *id, uint64_t *value)
{
	int n = 0;

	for (*value = 0; id[n]; n++) {
		int digit = hex_digit(id[n]);

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
