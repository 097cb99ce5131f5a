/*
 * queue_fixture.h: an empty queue in a directory of its own for each test, and messages to put into it.
 */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/random.h"
#include "queue/db.h"

#define SECOND INT64_C(1000000)
#define NOW (INT64_C(1790000000) * SECOND)

#define WITH_QUEUE(t) cmocka_unit_test_setup_teardown(t, open_queue, remove_dir)
#define WITH_DIR(t) cmocka_unit_test_setup_teardown(t, make_dir, remove_dir)

static char dir[64];
static struct queue *q;
static struct error err;

static inline int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/outpost-queue.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int open_queue(void **state)
{
	if (make_dir(state) < 0)
		return -1;
	if (queue_open(dir, QUEUE_WRITE | QUEUE_CREATE, &q, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static inline int remove_dir(void **state)
{
	char command[128];

	(void)state;
	queue_close(q);
	q = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static inline void path_in(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

struct body {
	const char *p;
	size_t n;
	size_t most;	/* per call */
	bool fails;
};

static inline long body_source(void *arg, char *p, size_t n, struct error *e)
{
	struct body *b = arg;

	if (b->fails && !b->n)
		return error_set(e, REASON_IO, "the source failed");
	if (n > b->n)
		n = b->n;
	if (b->most && n > b->most)
		n = b->most;
	memcpy(p, b->p, n);
	b->p += n;
	b->n -= n;
	return (long)n;
}

static inline struct queue_new message(uint32_t uid, const struct queue_new_recipient *r, size_t n)
{
	struct queue_new m = {.uid = uid, .user = "someone", .sender = "sender@example.com", .body = '7',
			      .arrival = NOW, .recipients = r, .nrecipients = n};

	assert_int_equal(random_bytes(m.token, sizeof(m.token)), 0);
	return m;
}

static inline int put(struct queue_new *m, const char *text, char id[QUEUE_ID])
{
	struct body b = {.p = text, .n = strlen(text)};

	m->size = b.n;
	return queue_put(q, m, body_source, &b, id, &err);
}

/* The same in a transaction of its own: the message's row. */
static inline int64_t put_message(struct queue_new *m, const char *text, char id[QUEUE_ID])
{
	char full[QUEUE_ID];
	int64_t row;

	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(m, text, id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
	return row;
}

static inline int64_t put_one(uint32_t uid, int64_t arrival, char id[QUEUE_ID])
{
	struct queue_new_recipient r = {.address = "a@example.net", .original = "a@example.net"};
	struct queue_new m = message(uid, &r, 1);

	m.arrival = arrival;
	return put_message(&m, "Subject: x\n\nbody\n", id);
}

static inline struct queue_settle verdict(int64_t row, int64_t recipient, enum queue_fate fate)
{
	return (struct queue_settle){.row = row, .recipient = recipient, .fate = fate, .now = NOW + SECOND,
				     .next_attempt = NOW + 600 * SECOND, .counted = true,
				     .reason = fate == QUEUE_SENT ? REASON_NONE : REASON_GREYLISTED, .dsn = "2.0.0",
				     .text = "250 Ok",
				     .relay = "h[127.0.0.1]:587"};
}

/* In a transaction of its own: whether the message is done. */
static inline bool settle_as(const struct queue_settle *s)
{
	bool done = false;

	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_settle(q, s, &done, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	return done;
}

static inline bool settle(int64_t row, int64_t recipient, enum queue_fate fate)
{
	struct queue_settle s = verdict(row, recipient, fate);

	return settle_as(&s);
}

static inline int64_t any_time_of_user(void *arg, uint32_t uid)
{
	(void)arg, (void)uid;
	return INT64_MIN;
}

/* When something of anybody is due first. */
static inline int64_t first_due(void)
{
	int64_t due;

	assert_int_equal(queue_due_after(q, any_time_of_user, NULL, &due, &err), 0);
	return due;
}

static inline void assert_sound(void)
{
	if (queue_check(q, &err) != 0)
		fail_msg("%s", err.text);
}

/* ---- files */
static inline void slurp(const char *name, struct buf *b)
{
	char path[100];

	path_in(path, sizeof(path), name);
	buf_init(b, 64u << 20);
	if (io_read_file(path, false, b, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

/* Runs SQL on the database without the queue's own code. */
static inline void run_sql(const char *sql)
{
	char path[100];
	sqlite3 *db;

	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
