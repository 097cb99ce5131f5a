#include "config.h"
#include "queue/db.h"

#include <string.h>

#include "base/text/span.h"

/* Fills the piece to its brim or to the end of the message. */
static long fill_piece(struct queue *q, queue_source source, void *arg, struct error *err)
{
	size_t have = 0;

	while (have < sizeof(q->piece)) {
		long got = source(arg, q->piece + have, sizeof(q->piece) - have, err);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (long)have;
}

static int wrong_size(const struct queue_new *n, struct error *err)
{
	return error_set(err, REASON_INTERNAL, "queue: the message has not the %llu bytes that were announced",
			 (unsigned long long)n->size);
}

/* The first piece is in q->piece already. */
static int put_body(struct queue *q, const struct queue_new *n, queue_source source, void *arg, long got,
		    uint64_t *lines, struct error *err)
{
	uint64_t size = 0;

	*lines = 0;
	for (; got > 0; got = fill_piece(q, source, arg, err)) {
		size += (uint64_t)got;
		*lines += span_lines((struct span){q->piece, (size_t)got});
		if (size > n->size)
			break;
		if (db_run(q, SQL_PUT_CHUNK, err, "ib", q->next_chunk, q->piece, (size_t)got) < 0)
			return -1;
		q->next_chunk++;
	}
	if (got < 0)
		return -1;
	return size == n->size ? 0 : wrong_size(n, err);
}

static int64_t first_attempt(const struct queue_new *n)
{
	return n->next_attempt ? n->next_attempt : n->arrival;
}

static int put_recipients(struct queue *q, int64_t row, const struct queue_new *n, struct error *err)
{
	for (size_t i = 0; i < n->nrecipients; i++) {
		const struct queue_new_recipient *r = &n->recipients[i];
		const char *original = r->original && strcmp(r->original, r->address) != 0 ? r->original : NULL;

		if (db_run(q, SQL_PUT_RECIPIENT, err, "iitttii", row, (int64_t)i + 1, r->address, original, r->orcpt,
			   (int64_t)r->notify, first_attempt(n)) < 0)
			return -1;
	}
	return 0;
}

static int put_message(struct queue *q, int64_t row, const struct queue_new *n, int64_t user, uint64_t lines,
		       struct error *err)
{
	const char ret[2] = {n->ret, '\0'}, body[2] = {n->body, '\0'};
	int64_t flags = (n->smtputf8 ? FLAG_SMTPUTF8 : 0) | (n->bounce ? FLAG_BOUNCE : 0);

	return db_run(q, SQL_PUT_MESSAGE, err, "itiiibttttiiiiiii", row, n->hold ? "h" : "q", first_attempt(n),
		      (int64_t)n->uid, user, n->token, sizeof(n->token), n->sender, n->envid, n->ret ? ret : NULL, body,
		      flags, (int64_t)n->size, (int64_t)lines, (int64_t)n->header_size, n->arrival, q->next_chunk,
		      (int64_t)n->nrecipients);
}

static int put_all(struct queue *q, int64_t row, const struct queue_new *n, queue_source source, void *arg, long got,
		   struct error *err)
{
	uint64_t first = span_lines((struct span){q->piece, (size_t)got}), lines;
	int64_t user;

	if (db_word(q, &q->user, n->user ? n->user : "", &user, err) < 0 ||
	    put_message(q, row, n, user, first, err) < 0 || put_recipients(q, row, n, err) < 0 ||
	    put_body(q, n, source, arg, got, &lines, err) < 0)
		return -1;
	return lines == first ? 0 : db_run(q, SQL_PUT_LINES, err, "ii", (int64_t)lines, row);
}

/* Undoes this put alone. */
static void undo(struct queue *q)
{
	struct error ignored;

	q->user.id = 0;
	if (sqlite3_get_autocommit(q->db))
		return; /* SQLite has undone everything; queue_commit will say so */
	if (db_run(q, SQL_ROLLBACK_TO, &ignored, "") < 0 || db_run(q, SQL_RELEASE, &ignored, "") < 0)
		db_run(q, SQL_ROLLBACK, &ignored, "");
}

/* What gives the pieces may fail when some are written. */
static int put_apart(struct queue *q, int64_t row, const struct queue_new *n, queue_source source, void *arg, long got,
		     struct error *err)
{
	if (db_run(q, SQL_SAVEPOINT, err, "") < 0)
		return -1;
	if (put_all(q, row, n, source, arg, got, err) >= 0 && db_run(q, SQL_RELEASE, err, "") >= 0)
		return 0;
	undo(q);
	return -1;
}

/* All of it is here before anything is written, so what fails now is the database, and that is rare enough to do the
 * whole group again. A savepoint would cost as much as all the rest: SQLite keeps a copy of each page that is changed
 * after one. */
static int put_at_once(struct queue *q, int64_t row, const struct queue_new *n, queue_source source, void *arg,
		       long got, struct error *err)
{
	struct error ignored;

	if ((uint64_t)got != n->size)
		return wrong_size(n, err);
	if (put_all(q, row, n, source, arg, got, err) >= 0)
		return 0;
	q->undone = q->careful = true;
	q->user.id = 0;
	if (!sqlite3_get_autocommit(q->db))
		db_run(q, SQL_ROLLBACK, &ignored, "");
	return -1;
}

bool queue_again(struct queue *q)
{
	bool undone = q->undone;

	q->undone = false;
	return undone;
}

int queue_put(struct queue *q, const struct queue_new *n, queue_source source, void *arg, char id[QUEUE_ID],
	      struct error *err)
{
	int64_t row;
	long got;
	int rc;

	if (db_inside(q, err) < 0)
		return -1;
	rc = db_row(q, SQL_PUT_FIND, err, "bi>i", n->token, sizeof(n->token), (int64_t)n->uid, &row);
	if (rc > 0)
		db_id_of(row, id);
	if (rc)
		return rc;
	if (!n->nrecipients)
		return error_set(err, REASON_INTERNAL, "queue: a message without recipients");
	row = db_new_key(q, err);
	got = row < 0 ? -1 : fill_piece(q, source, arg, err);
	if (got < 0)
		return -1;
	rc = ((size_t)got < sizeof(q->piece) && !q->careful ? put_at_once : put_apart)(q, row, n, source, arg, got,
										       err);
	if (rc == 0)
		db_id_of(row, id);
	return rc;
}
