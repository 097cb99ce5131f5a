#include "config.h"
#include "queue/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text/number.h"

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

static int take_recipient(sqlite3_stmt *st, struct queue_row *r, size_t *capacity, struct error *err)
{
	struct queue_row_recipient *p = array_add(&r->recipients, &r->nrecipients, capacity, sizeof(*p));

	if (!p)
		return db_no_memory(err);
	if (db_read(st, err, "iSScuiissr", &r->last, &p->address, &p->original, &p->state, &p->attempts,
		    &p->next_attempt, &p->last, &p->dsn, &p->text, &p->reason) < 0)
		return -1;
	if (p->state == 'q' && r->state == 'h')
		p->state = 'h';
	return 0;
}

/* What was sent to left the table of recipients for the events. */
static int add_recipients(struct queue *q, struct queue_row *r, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, r->state == 's' ? SQL_LIST_SENT : SQL_LIST_RECIPIENTS, err, "iii", r->row,
				   r->last, (int64_t)QUEUE_ROW_RECIPIENTS);
	size_t capacity = 0;
	int rc = -1;

	while (st && (rc = db_step(q, st, err)) > 0)
		if (take_recipient(st, r, &capacity, err) < 0) {
			db_done(st);
			return -1;
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

#define ROW_FORMAT "iiiucSS"
#define ROW_MEMBERS(r) &(r)->row, &(r)->size, &(r)->arrival, &(r)->uid, &(r)->state, &(r)->sender, &(r)->user

/* The row that the statement stands on, and its recipients. */
static int take_row(struct queue *q, sqlite3_stmt *st, struct queue_row *r, struct error *err)
{
	memset(r, 0, sizeof(*r));
	if (db_read(st, err, ROW_FORMAT, ROW_MEMBERS(r)) < 0)
		return -1;
	db_id_of(r->row, r->id);
	return add_recipients(q, r, err);
}

static int take_page(struct queue *q, sqlite3_stmt *st, struct queue_row *rows, size_t max, size_t *n,
		     struct error *err)
{
	size_t recipients = 0;
	int rc = 1;

	while (*n < max && recipients < QUEUE_LIST_RECIPIENTS && (rc = db_step(q, st, err)) > 0) {
		struct queue_row *r = &rows[(*n)++];

		if (take_row(q, st, r, err) < 0)
			return -1;
		recipients += r->nrecipients;
	}
	return rc < 0 ? -1 : 0;
}

int queue_list(struct queue *q, const struct queue_filter *f, int64_t *key, struct queue_row *rows, size_t max,
	       struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_LIST, err, "ititiii", *key, f->states[0] ? f->states : "qh",
				   f->by_uid ? (int64_t)f->uid : -1, f->sender, f->older_than, (int64_t)f->deferred,
				   (int64_t)max);
	size_t n = 0;
	int rc = st ? take_page(q, st, rows, max, &n, err) : -1;

	db_done(st);
	if (rc < 0) {
		while (n)
			queue_row_free(&rows[--n]);
		return -1;
	}
	if (n)
		*key = rows[n - 1].row;
	return (int)n;
}

int queue_row(struct queue *q, int64_t key, struct queue_row *row, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_LIST_ROW, err, "i", key);
	int rc = st ? db_step(q, st, err) : -1;

	if (rc <= 0)
		return rc;
	rc = take_row(q, st, row, err) < 0 ? -1 : 1;
	db_done(st);
	if (rc < 0)
		queue_row_free(row);
	return rc;
}

int queue_totals(struct queue *q, struct queue_totals *t, struct error *err)
{
	return db_row(q, SQL_TOTALS, err, ">iiiiii", &t->queued, &t->held, &t->failed, &t->bytes, &t->oldest,
		      &t->null_failed) < 0 ? -1 : 0;
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
	int n = digits(id, &value);
	int64_t one, other;
	int count = 0;

	for (int length = 12; n > 0 && length <= 13; length++) {
		int shift = 4 * (length - n);
		int64_t first = (int64_t)(value << (shift < 0 ? 0 : shift));

		if (shift < 0 || (exact && shift) || (length == 13 && first < INT64_C(1) << 48))
			continue;
		if (db_row(q, SQL_FIND, err, "ii>ii", first, first + (INT64_C(1) << shift) - 1, &one, &other) < 0)
			return -1;
		if (one)
			*row = one;
		count += one ? 1 + (one != other) : 0;
	}
	if (count == 1)
		db_id_of(*row, full);
	return count > 2 ? 2 : count;
}
