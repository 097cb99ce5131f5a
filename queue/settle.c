#include "config.h"
#include "queue/db.h"

#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"

/* Reasons that keep changing (a counter, a time in the relay's words) must not fill the history. */
enum { DEFERRED_EVENTS = 20 };

static const int64_t hour_us = INT64_C(3600) * 1000000;

int db_event(struct queue *q, const struct event *e, struct error *err)
{
	int64_t relay = 0, key;

	if (e->relay && *e->relay && db_word(q, &q->relay, e->relay, &relay, err) < 0)
		return -1;
	key = db_new_key(q, err);
	return key < 0 ? -1
		       : db_run(q, SQL_EVENT_ADD, err, "iiiitttit", key, e->time, e->message, (int64_t)e->kind,
				e->recipient, e->dsn, e->text, relay, db_reason_name(e->reason));
}

int db_drop_body(struct queue *q, int64_t chunk, uint64_t size, struct error *err)
{
	int64_t count = (int64_t)((size + LIMIT_CHUNK - 1) / LIMIT_CHUNK);

	return db_run(q, SQL_CHUNKS_DROP, err, "ii", chunk, chunk + count) < 0 ? -1 : 0;
}

/* What settling has to know of the message and the recipient. */
struct found {
	int64_t chunk;
	uint64_t size;
	int64_t unsent, failed, attempts, same_reason;
	char *address;
};

static int find(struct queue *q, const struct queue_settle *s, struct found *f, struct error *err)
{
	memset(f, 0, sizeof(*f));
	return db_row(q, SQL_SETTLE_FIND, err, "iitt>iiiiSii", s->row, s->recipient, s->dsn, s->text, &f->chunk,
		      &f->size, &f->unsent, &f->failed, &f->address, &f->attempts, &f->same_reason);
}

static enum event_kind kind_of(const struct queue_settle *s)
{
	size_t n = s->dsn ? strlen(s->dsn) : 0;

	if (s->fate == QUEUE_SENT)
		return EVENT_SENT;
	if (s->fate == QUEUE_DEFERRED)
		return EVENT_DEFERRED;
	return n == 5 && strcmp(s->dsn + 1, ".4.7") == 0 ? EVENT_EXPIRED : EVENT_BOUNCED;
}

static int note(struct queue *q, const struct queue_settle *s, const struct found *f, struct error *err)
{
	struct event e = {.time = s->now, .message = s->row, .kind = kind_of(s), .recipient = f->address, .dsn = s->dsn,
			  .text = s->text, .relay = s->relay, .reason = s->reason};

	if (s->fate == QUEUE_DEFERRED && (f->same_reason || f->attempts > DEFERRED_EVENTS))
		return 0;
	if (db_event(q, &e, err) < 0)
		return -1;
	if (s->fate == QUEUE_DEFERRED)
		return 0;
	return db_run(q, SQL_HOUR_ADD, err, "iii", s->now / hour_us, (int64_t)(s->fate == QUEUE_SENT),
		      (int64_t)(s->fate == QUEUE_FAILED)) < 0 ? -1 : 0;
}

static int move_recipient(struct queue *q, const struct queue_settle *s, struct error *err)
{
	if (s->fate == QUEUE_SENT)
		return db_run(q, SQL_RECIPIENT_SENT, err, "ii", s->row, s->recipient);
	return db_run(q, SQL_RECIPIENT_MOVED, err, "tiiitttii", s->fate == QUEUE_FAILED ? "f" : "q",
		      (int64_t)s->counted, s->fate == QUEUE_DEFERRED ? s->next_attempt : s->now, s->now, s->dsn,
		      s->text, db_reason_name(s->reason), s->row, s->recipient);
}

/* Verdicts come message by message: the due time is found again when the next message's turn comes, or at the commit,
 * not for each of a hundred thousand recipients. */
int db_flush_touched(struct queue *q, struct error *err)
{
	int64_t row = q->touched, due = 0, still;
	int rc;

	q->touched = 0;
	if (!row)
		return 0;
	rc = db_row(q, SQL_STILL_DUE, err, "ii>i", row, q->touched_now, &still);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (db_row(q, SQL_FIRST_NEXT, err, "i>i", row, &due) < 0)
		return -1;
	return due && db_run(q, SQL_SET_DUE, err, "ii", due, row) < 0 ? -1 : 0;
}

static int touch(struct queue *q, const struct queue_settle *s, struct error *err)
{
	if (q->touched != s->row && db_flush_touched(q, err) < 0)
		return -1;
	q->touched = s->row;
	q->touched_now = s->now;
	return 0;
}

static int finish_message(struct queue *q, const struct queue_settle *s, const struct found *f, struct error *err)
{
	if (q->touched == s->row)
		q->touched = 0;
	if (db_run(q, SQL_MESSAGE_DONE, err, "itii", f->failed, f->failed ? "f" : "s", s->now, s->row) < 0)
		return -1;
	return f->failed ? 0 : db_drop_body(q, f->chunk, f->size, err);
}

static int settle_found(struct queue *q, const struct queue_settle *s, struct found *f, bool *done, struct error *err)
{
	if (move_recipient(q, s, err) < 0 || note(q, s, f, err) < 0)
		return -1;
	if (s->fate == QUEUE_DEFERRED) {
		*done = false;
		return touch(q, s, err);
	}
	f->unsent--;
	f->failed += s->fate == QUEUE_FAILED;
	*done = f->unsent <= 0;
	if (*done)
		return finish_message(q, s, f, err);
	if (db_run(q, SQL_MESSAGE_COUNTS, err, "iii", f->unsent, f->failed, s->row) < 0)
		return -1;
	return touch(q, s, err);
}

/* Deleted while it was under way: what the relay took is history all the same. */
static int settle_gone(struct queue *q, const struct queue_settle *s, struct error *err)
{
	struct found f = {0};

	return s->fate == QUEUE_SENT ? note(q, s, &f, err) : 0;
}

int queue_settle(struct queue *q, const struct queue_settle *s, bool *message_done, struct error *err)
{
	struct found f;
	int rc;

	if (db_inside(q, err) < 0)
		return -1;
	rc = find(q, s, &f, err);
	if (rc > 0) {
		rc = settle_found(q, s, &f, message_done, err);
	} else if (rc == 0) {
		*message_done = true;
		rc = settle_gone(q, s, err);
	}
	free(f.address);
	return rc < 0 ? -1 : 0;
}

int queue_warned(struct queue *q, int64_t row, struct error *err)
{
	struct event e = {.time = clock_wall_us(), .message = row, .kind = EVENT_WARNED};

	if (db_inside(q, err) < 0 || db_run(q, SQL_WARNED, err, "i", row) < 0)
		return -1;
	return db_event(q, &e, err) < 0 ? -1 : 0;
}
