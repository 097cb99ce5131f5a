/* The queue's contract (queue/queue.h), on real databases in a directory of its own. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/text.h"
#include "queue/db.h"

#define SECOND INT64_C(1000000)
#define NOW (INT64_C(1790000000) * SECOND)

static char dir[64];
static struct queue *q;
static struct error err;

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/outpost-queue.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int open_queue(void **state)
{
	if (make_dir(state) < 0)
		return -1;
	if (queue_open(dir, QUEUE_WRITE | QUEUE_CREATE, &q, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	queue_close(q);
	q = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void path_in(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

/* ---- making messages */
struct body {
	const char *p;
	size_t n;
	size_t most;	/* per call */
	bool fails;
};

static long body_source(void *arg, char *p, size_t n, struct error *e)
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

static struct queue_new message(uint32_t uid, const struct queue_new_recipient *r, size_t n)
{
	struct queue_new m = {.uid = uid, .user = "someone", .sender = "sender@example.com", .body = '7',
			      .arrival = NOW, .recipients = r, .nrecipients = n};

	assert_int_equal(random_bytes(m.token, sizeof(m.token)), 0);
	return m;
}

static int put(struct queue_new *m, const char *text, char id[QUEUE_ID])
{
	struct body b = {.p = text, .n = strlen(text)};

	m->size = b.n;
	return queue_put(q, m, body_source, &b, id, &err);
}

static int64_t put_one(uint32_t uid, int64_t arrival, char id[QUEUE_ID])
{
	struct queue_new_recipient r = {.address = "a@example.net", .original = "a@example.net"};
	struct queue_new m = message(uid, &r, 1);
	char full[QUEUE_ID];
	int64_t row;

	m.arrival = arrival;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "Subject: x\n\nbody\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
	return row;
}

static struct queue_settle verdict(int64_t row, int64_t recipient, enum queue_fate fate)
{
	return (struct queue_settle){.row = row, .recipient = recipient, .fate = fate, .now = NOW + SECOND,
				     .next_attempt = NOW + 600 * SECOND, .counted = true, .dsn = "2.0.0", .text = "250 Ok",
				     .relay = "h[127.0.0.1]:587"};
}

static bool settle(int64_t row, int64_t recipient, enum queue_fate fate)
{
	struct queue_settle s = verdict(row, recipient, fate);
	bool done = false;

	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_settle(q, &s, &done, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	return done;
}

static void assert_sound(void)
{
	if (queue_check(q, true, &err) != 0)
		fail_msg("%s", err.text);
}

/* ---- tests */
static void test_put_and_fetch(void **state)
{
	struct queue_new_recipient r[2] = {{.address = "a@b", .original = "a", .orcpt = "rfc822;a@b", .notify = 4},
					   {.address = "c@d", .original = "c@d"}};
	struct queue_new m = message(1000, r, 2);
	struct queue_message got;
	struct queue_cursor c = {0};
	char id[QUEUE_ID], text[64];

	(void)state;
	m.envid = "env";
	m.ret = 'H';
	m.body = '8';
	m.smtputf8 = m.bounce = true;
	m.header_size = 12;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "Subject: x\n\nbody\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_next(q, 1000, NOW, false, 10, &c, &got, &err), 1);
	assert_string_equal(got.id, id);
	assert_string_equal(got.sender, "sender@example.com");
	assert_string_equal(got.envid, "env");
	assert_string_equal(got.user, "someone");
	assert_int_equal(got.ret, 'H');
	assert_int_equal(got.body, '8');
	assert_true(got.smtputf8 && got.bounce);
	assert_int_equal(got.size, 17);
	assert_int_equal(got.lines, 3);
	assert_int_equal(got.header_size, 12);
	assert_int_equal(got.arrival, NOW);
	assert_int_equal(got.nrecipients, 2);
	assert_string_equal(got.recipients[0].address, "a@b");
	assert_string_equal(got.recipients[0].original, "a");
	assert_string_equal(got.recipients[0].orcpt, "rfc822;a@b");
	assert_int_equal(got.recipients[0].notify, 4);
	assert_string_equal(got.recipients[1].original, "c@d");
	assert_int_equal(queue_read(q, got.row, 0, text, sizeof(text), &err), 17);
	assert_memory_equal(text, "Subject: x\n\nbody\n", 17);
	assert_int_equal(queue_read(q, got.row, 12, text, 3, &err), 3);
	assert_memory_equal(text, "bod", 3);
	assert_int_equal(queue_read(q, got.row, 17, text, 3, &err), 0);
	queue_message_free(&got);
	queue_message_free(&got);
	assert_int_equal(queue_next(q, 1000, NOW, false, 10, &c, &got, &err), 0);
	assert_sound();
}

static void test_id_shape(void **state)
{
	char id[QUEUE_ID];

	(void)state;
	put_one(1, NOW, id);
	assert_int_equal(strspn(id, "0123456789ABCDEF"), 12);
	assert_int_equal(strlen(id), 12);
}

static void test_large_body(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new m = message(1, &r, 1);
	size_t size = 3 * LIMIT_CHUNK + 17;
	struct body b = {.n = size, .most = 1000};
	struct queue_message got;
	struct queue_cursor c = {0};
	char id[QUEUE_ID], piece[5000], *text = malloc(size);
	uint64_t at = 0;
	long n;

	(void)state;
	for (size_t i = 0; i < size; i++)
		text[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 26);
	b.p = text;
	m.size = size;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_put(q, &m, body_source, &b, id, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_next(q, 1, NOW, false, 1, &c, &got, &err), 1);
	assert_int_equal(got.lines, size / 61);
	while ((n = queue_read(q, got.row, at, piece, sizeof(piece), &err)) > 0) {
		assert_memory_equal(piece, text + at, n);
		at += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, size);
	queue_message_free(&got);
	free(text);
	assert_sound();
}

static void test_empty_body(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new m = message(1, &r, 1);
	struct queue_message got;
	struct queue_cursor c = {0};
	char id[QUEUE_ID], piece[10];

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_next(q, 1, NOW, false, 1, &c, &got, &err), 1);
	assert_int_equal(queue_read(q, got.row, 0, piece, sizeof(piece), &err), 0);
	assert_true(settle(got.row, 1, QUEUE_SENT));
	queue_message_free(&got);
	assert_sound();
}

static void test_token_again(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new m = message(1, &r, 1), other;
	char first[QUEUE_ID], second[QUEUE_ID], third[QUEUE_ID];
	struct queue_totals t;
	int64_t row;

	(void)state;
	other = m;
	other.uid = 2;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "x\n", first), 0);
	assert_int_equal(put(&m, "x\n", second), 1);
	assert_string_equal(first, second);
	assert_int_equal(put(&other, "x\n", third), 0);
	assert_string_not_equal(first, third);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 2);
	/* It is remembered after the message was sent. */
	assert_int_equal(queue_find(q, first, true, &row, third, &err), 1);
	assert_true(settle(row, 1, QUEUE_SENT));
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "x\n", second), 1);
	assert_string_equal(first, second);
	assert_int_equal(queue_commit(q, &err), 0);
}

static void test_one_put_of_a_group_fails(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new a = message(1, &r, 1), b = message(1, &r, 1), c = message(1, &r, 1);
	struct body failing = {.p = "half", .n = 4, .fails = true};
	struct body shorter = {.p = "half", .n = 4};
	char id[QUEUE_ID];
	struct queue_totals t;

	(void)state;
	b.user = "new in a failing put";
	c.user = b.user;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	b.size = 10;
	assert_int_equal(queue_put(q, &b, body_source, &failing, id, &err), -1);
	assert_string_equal(err.text, "the source failed");
	assert_int_equal(queue_put(q, &b, body_source, &shorter, id, &err), -1);
	b.nrecipients = 0;
	assert_int_equal(put(&b, "x\n", id), -1);
	assert_int_equal(put(&c, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 2);
	assert_int_equal(t.bytes, 4);
	assert_int_equal(t.oldest, NOW);
	assert_sound();
}

/* A small message that can't be written takes its group with it, but not when the group is tried again; a large one goes
 * alone. Never is half of one there. */
static void test_database_fails_within_a_group(void **state)
{
	static char large[LIMIT_CHUNK + 10];
	struct queue_new_recipient good = {.address = "a@b"}, bad = {.address = "bad@b"};
	struct queue_new a = message(1, &good, 1), b = message(1, &bad, 1), c = message(1, &good, 1),
			 d = message(1, &good, 1);
	struct queue_totals t;
	char id[QUEUE_ID];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(sqlite3_exec(q->db, "CREATE TEMP TRIGGER refuse BEFORE INSERT ON recipient WHEN new.address = 'bad@b' "
				      "BEGIN SELECT RAISE(ABORT, 'refused'); END", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	assert_int_equal(put(&b, "x\n", id), -1);
	assert_int_equal(put(&c, "x\n", id), -1);
	assert_int_equal(queue_commit(q, &err), -1);
	queue_rollback(q);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 0);
	assert_true(queue_again(q));
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	assert_int_equal(put(&b, "x\n", id), -1);
	assert_int_equal(put(&c, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_false(queue_again(q));
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&d, "x\n", id), 0);
	assert_int_equal(put(&b, large, id), -1);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_false(queue_again(q));
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 3);
	assert_int_equal(t.bytes, 6);
	assert_sound();
}

static void test_rollback(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new a = message(1, &r, 1);
	struct queue_totals t;
	char id[QUEUE_ID];
	int64_t due;

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	queue_rollback(q);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 0);
	assert_int_equal(t.oldest, 0);
	assert_int_equal(queue_next_due(q, &due, &err), 0);
	assert_true(due == INT64_MAX);
	assert_int_equal(put(&a, "x\n", id), -1); /* outside of a transaction */
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_commit(q, &err), -1);
	assert_sound();
}

/* SQLite may undo a whole transaction by itself: nothing of it may then be acknowledged. */
static void test_transaction_undone_behind_our_back(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	struct queue_new a = message(1, &r, 1), b = message(1, &r, 1);
	struct queue_totals t;
	char id[QUEUE_ID];

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&a, "x\n", id), 0);
	assert_int_equal(sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(put(&b, "x\n", id), -1);
	assert_int_equal(queue_commit(q, &err), -1);
	assert_int_equal(error_exit(&err), EX_TEMPFAIL);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 0);
}

static void test_sent(void **state)
{
	char id[QUEUE_ID], piece[10];
	struct queue_totals t;
	struct queue_row row;
	struct queue_filter f = {.states = "s"};
	struct queue_event e[8];
	uint32_t sent[24], failed[24];
	int64_t key = 0, r = put_one(7, NOW, id);

	(void)state;
	assert_true(settle(r, 1, QUEUE_SENT));
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued + t.held + t.failed + t.bytes, 0);
	assert_int_equal(queue_read(q, r, 0, piece, sizeof(piece), &err), -1);
	assert_int_equal(queue_list(q, &f, &key, &row, 1, &err), 1);
	assert_int_equal(row.state, 's');
	assert_int_equal(row.nrecipients, 1);
	assert_string_equal(row.recipients[0].address, "a@example.net");
	assert_int_equal(row.recipients[0].state, 's');
	assert_string_equal(row.recipients[0].text, "250 Ok");
	queue_row_free(&row);
	key = 0;
	assert_int_equal(queue_events(q, id, &key, e, 8, &err), 2);
	assert_string_equal(e[0].kind, "queued");
	assert_string_equal(e[0].text, "sender@example.com");
	assert_string_equal(e[1].kind, "sent");
	assert_string_equal(e[1].relay, "h[127.0.0.1]:587");
	assert_string_equal(e[1].recipient, "a@example.net");
	assert_string_equal(e[1].id, id);
	for (int i = 0; i < 2; i++)
		queue_event_free(&e[i]);
	assert_int_equal(queue_events(q, id, &key, e, 8, &err), 0);
	assert_int_equal(queue_rates(q, NOW + SECOND, 24, sent, failed, &err), 0);
	assert_int_equal(sent[23], 1);
	assert_int_equal(failed[23] + sent[22], 0);
	assert_false(settle(r, 1, QUEUE_SENT) == false); /* again: nothing is left */
	assert_sound();
}

static void test_deferred(void **state)
{
	char id[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), due;
	struct queue_message m;
	struct queue_cursor c = {0};
	uint32_t uid;

	(void)state;
	assert_false(settle(r, 1, QUEUE_DEFERRED));
	assert_int_equal(queue_next_due(q, &due, &err), 0);
	assert_int_equal(due, NOW + 600 * SECOND);
	assert_int_equal(queue_next_user(q, -1, NOW, false, &uid, &err), 0);
	assert_int_equal(queue_next_user(q, -1, NOW, true, &uid, &err), 1);
	assert_int_equal(uid, 7);
	assert_int_equal(queue_next(q, 7, NOW, false, 10, &c, &m, &err), 0);
	assert_int_equal(queue_fetch(q, r, NOW, false, 10, &m, &err), 0);
	assert_int_equal(queue_next(q, 7, NOW, true, 10, &c, &m, &err), 1);
	assert_int_equal(m.recipients[0].attempts, 1);
	queue_message_free(&m);
	memset(&c, 0, sizeof(c));
	assert_int_equal(queue_next(q, 7, NOW + 600 * SECOND, false, 10, &c, &m, &err), 1);
	queue_message_free(&m);
	assert_sound();
}

/* The same reason again is no news: the history grows with what changes. */
static void test_deferrals_in_history(void **state)
{
	char id[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), key = 0;
	struct queue_event e[80];
	int n;

	(void)state;
	for (int i = 0; i < 5; i++)
		settle(r, 1, QUEUE_DEFERRED);
	n = queue_events(q, id, &key, e, 80, &err);
	assert_int_equal(n, 2);
	for (int i = 0; i < n; i++)
		queue_event_free(&e[i]);
	for (int i = 0; i < 50; i++) {
		char text[20];
		bool done;
		struct queue_settle s = verdict(r, 1, QUEUE_DEFERRED);

		snprintf(text, sizeof(text), "450 try %d", i);
		s.text = text;
		assert_int_equal(queue_begin(q, &err), 0);
		assert_int_equal(queue_settle(q, &s, &done, &err), 0);
		assert_int_equal(queue_commit(q, &err), 0);
	}
	key = 0;
	n = queue_events(q, id, &key, e, 80, &err);
	assert_in_range(n, 3, 30);
	for (int i = 0; i < n; i++)
		queue_event_free(&e[i]);
}

static void test_failed_and_retried(void **state)
{
	struct queue_new_recipient r[2] = {{.address = "a@b"}, {.address = "c@d"}};
	struct queue_new m = message(9, r, 2);
	struct queue_message got;
	struct queue_totals t;
	struct queue_filter f = {.states = "f"};
	struct queue_row row;
	char id[QUEUE_ID], full[QUEUE_ID], piece[10];
	int64_t rowid, key = 0;

	(void)state;
	m.sender = "";
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_find(q, id, true, &rowid, full, &err), 1);
	assert_false(settle(rowid, 1, QUEUE_FAILED));
	assert_true(settle(rowid, 2, QUEUE_SENT));
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.null_failed, 1);
	assert_int_equal(t.queued, 0);
	assert_int_equal(queue_read(q, rowid, 0, piece, sizeof(piece), &err), 2);
	assert_int_equal(queue_list(q, &f, &key, &row, 1, &err), 1);
	assert_int_equal(row.nrecipients, 1);
	assert_int_equal(row.recipients[0].state, 'f');
	queue_row_free(&row);
	assert_int_equal(queue_hold(q, rowid, NOW, &err), 0);
	assert_int_equal(queue_retry(q, rowid, NOW, &err), 1);
	assert_int_equal(queue_fetch(q, rowid, NOW, false, 10, &got, &err), 1);
	assert_int_equal(got.nrecipients, 1);
	assert_int_equal(got.recipients[0].attempts, 0);
	assert_string_equal(got.recipients[0].address, "a@b");
	queue_message_free(&got);
	assert_true(settle(rowid, 1, QUEUE_SENT));
	assert_sound();
}

static void test_hold_release_delete(void **state)
{
	char id[QUEUE_ID], piece[10];
	int64_t r = put_one(7, NOW, id), key = 0;
	struct queue_totals t;
	struct queue_message m;
	struct queue_event e[8];
	struct queue_filter f = {.states = "h"};
	struct queue_row row;
	int n;

	(void)state;
	assert_int_equal(queue_hold(q, r, NOW, &err), 1);
	assert_int_equal(queue_hold(q, r, NOW, &err), 0);
	assert_int_equal(queue_fetch(q, r, NOW, true, 1, &m, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.held, 1);
	assert_int_equal(t.queued, 0);
	assert_int_equal(queue_list(q, &f, &key, &row, 1, &err), 1);
	assert_int_equal(row.recipients[0].state, 'h');
	queue_row_free(&row);
	assert_int_equal(queue_release(q, r, NOW, &err), 1);
	assert_int_equal(queue_release(q, r, NOW, &err), 0);
	assert_int_equal(queue_fetch(q, r, NOW, false, 1, &m, &err), 1);
	queue_message_free(&m);
	assert_int_equal(queue_delete(q, r, NOW, &err), 1);
	assert_int_equal(queue_delete(q, r, NOW, &err), 0);
	assert_int_equal(queue_fetch(q, r, NOW, true, 1, &m, &err), 0);
	assert_int_equal(queue_read(q, r, 0, piece, sizeof(piece), &err), -1);
	key = 0;
	n = queue_events(q, NULL, &key, e, 8, &err);
	assert_int_equal(n, 4);
	assert_string_equal(e[1].kind, "held");
	assert_string_equal(e[2].kind, "released");
	assert_string_equal(e[3].kind, "deleted");
	for (int i = 0; i < n; i++)
		queue_event_free(&e[i]);
	/* A verdict that comes after the deletion changes nothing. */
	assert_true(settle(r, 1, QUEUE_SENT));
	assert_sound();
}

static void test_warned(void **state)
{
	char id[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), key = 0;
	struct queue_event e[2];
	struct queue_message m;

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_warned(q, r, &err), 0);
	assert_int_equal(queue_note_reason(q, r, "4.4.1", "no route", &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_events(q, id, &key, e, 2, &err), 2);
	assert_string_equal(e[1].kind, "warned");
	queue_event_free(&e[0]);
	queue_event_free(&e[1]);
	assert_int_equal(queue_fetch(q, r, NOW, false, 1, &m, &err), 1);
	assert_true(m.recipients[0].delay_warned);
	queue_message_free(&m);
}

static void test_users_in_turn(void **state)
{
	char id[QUEUE_ID];
	uint32_t uid;

	(void)state;
	put_one(0, NOW, id);
	put_one(4000000000u, NOW, id);
	put_one(50, NOW + 900 * SECOND, id);
	assert_int_equal(queue_next_user(q, -1, NOW, false, &uid, &err), 1);
	assert_int_equal(uid, 0);
	assert_int_equal(queue_next_user(q, 0, NOW, false, &uid, &err), 1);
	assert_true(uid == 4000000000u);
	assert_int_equal(queue_next_user(q, 0, NOW, true, &uid, &err), 1);
	assert_int_equal(uid, 50);
	assert_int_equal(queue_next_user(q, 4000000000u, NOW, true, &uid, &err), 0);
}

static void test_cursor_and_limit(void **state)
{
	struct queue_new_recipient r[25] = {0};
	struct queue_new m = message(3, r, 25);
	struct queue_message got;
	struct queue_cursor c = {0};
	char id[QUEUE_ID];
	int seen = 0;

	(void)state;
	for (int i = 0; i < 25; i++)
		r[i] = (struct queue_new_recipient){.address = "x@y"};
	for (int i = 0; i < 10; i++)
		put_one(3, NOW + (i / 4) * SECOND, id); /* several with the same due time */
	while (queue_next(q, 3, NOW + 5 * SECOND, false, 10, &c, &got, &err) == 1) {
		seen++;
		queue_message_free(&got);
	}
	assert_int_equal(seen, 10);
	m.arrival = NOW + 4 * SECOND;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_next(q, 3, NOW + 5 * SECOND, false, 10, &c, &got, &err), 1);
	assert_int_equal(got.nrecipients, 10);
	/* Those ten are settled; the rest is still due, at the same place. */
	for (int i = 0; i < 10; i++)
		assert_false(settle(got.row, got.recipients[i].id, i % 2 ? QUEUE_SENT : QUEUE_DEFERRED));
	seen = 0;
	{
		struct queue_message rest;

		assert_int_equal(queue_fetch(q, got.row, NOW + 5 * SECOND, false, 100, &rest, &err), 1);
		assert_int_equal(rest.nrecipients, 15);
		for (size_t i = 0; i < rest.nrecipients; i++)
			settle(rest.row, rest.recipients[i].id, QUEUE_SENT);
		queue_message_free(&rest);
	}
	{
		int64_t row = got.row;

		queue_message_free(&got);
		assert_int_equal(queue_fetch(q, row, NOW + 5 * SECOND, false, 100, &got, &err), 0);
	}
	assert_sound();
}

static void test_due_of_many_recipients(void **state)
{
	struct queue_new_recipient r[2] = {{.address = "a@b"}, {.address = "c@d"}};
	struct queue_new m = message(3, r, 2);
	struct queue_settle s;
	char id[QUEUE_ID], full[QUEUE_ID];
	int64_t row, due;
	bool done;

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "x\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
	assert_int_equal(queue_begin(q, &err), 0);
	s = verdict(row, 1, QUEUE_DEFERRED);
	s.next_attempt = NOW + 50 * SECOND;
	assert_int_equal(queue_settle(q, &s, &done, &err), 0);
	s = verdict(row, 2, QUEUE_DEFERRED);
	s.next_attempt = NOW + 40 * SECOND;
	assert_int_equal(queue_settle(q, &s, &done, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_next_due(q, &due, &err), 0);
	assert_int_equal(due, NOW + 40 * SECOND);
	assert_int_equal(queue_retry(q, row, NOW + 2 * SECOND, &err), 1);
	assert_int_equal(queue_next_due(q, &due, &err), 0);
	assert_int_equal(due, NOW + 2 * SECOND);
}

static void test_list_pages(void **state)
{
	struct queue_filter f = {0};
	struct queue_row rows[3];
	char id[QUEUE_ID];
	int64_t key = 0, keys[7];
	int n, seen = 0;

	(void)state;
	for (int i = 0; i < 7; i++)
		keys[i] = put_one((uint32_t)(i % 2), NOW + i, id);
	assert_int_equal(queue_hold(q, keys[2], NOW, &err), 1);
	while ((n = queue_list(q, &f, &key, rows, 3, &err)) > 0)
		for (int i = 0; i < n; i++) {
			assert_int_equal(rows[i].row, keys[seen]);
			assert_int_equal(rows[i].state, seen == 2 ? 'h' : 'q');
			seen++;
			queue_row_free(&rows[i]);
		}
	assert_int_equal(n, 0);
	assert_int_equal(seen, 7);
	f.by_uid = true;
	f.uid = 1;
	f.older_than = NOW + 5;
	key = 0;
	n = queue_list(q, &f, &key, rows, 3, &err);
	assert_int_equal(n, 2);
	while (n)
		queue_row_free(&rows[--n]);
	f = (struct queue_filter){.deferred = true, .sender = "sender@example.com"};
	key = 0;
	assert_int_equal(queue_list(q, &f, &key, rows, 3, &err), 0);
	settle(keys[0], 1, QUEUE_DEFERRED);
	assert_int_equal(queue_list(q, &f, &key, rows, 3, &err), 1);
	assert_string_equal(rows[0].recipients[0].text, "250 Ok");
	queue_row_free(&rows[0]);
	f.states[0] = 'z';
	assert_int_equal(queue_list(q, &f, &key, rows, 3, &err), -1);
}

/* Pages of any size give what one gives, in its order. */
static void test_sorted_pages(void **state)
{
	static const char *const senders[] = {"b@example.com", "A@example.com", "c@example.com"};
	static const char *const texts[] = {"Subject: x\n\n1\n", "Subject: x\n\n22\n", "Subject: x\n\n4444\n"};
	static const int order[][8] = {
		[QUEUE_BY_AGE] = {7, 6, 5, 4, 3, 2, 1, 0},
		[QUEUE_BY_SIZE] = {7, 5, 3, 1, 6, 2, 4, 0},
		[QUEUE_BY_ATTEMPTS] = {3, 7, 6, 5, 4, 2, 1, 0},
		[QUEUE_BY_SENDER] = {7, 4, 1, 6, 3, 0, 5, 2},
	};
	struct queue_new_recipient r = {.address = "a@example.net", .original = "a@example.net"};
	struct queue_filter f = {0};
	int64_t made[8], keys[9];
	char id[QUEUE_ID], full[QUEUE_ID];

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	for (int i = 0; i < 8; i++) {
		struct queue_new m = message(1, &r, 1);

		m.sender = senders[i % 3];
		m.arrival = NOW - i;
		assert_int_equal(put(&m, texts[i % 2 ? 2 : i % 4 / 2], id), 0);
		assert_int_equal(queue_find(q, id, true, &made[i], full, &err), 1);
	}
	assert_int_equal(queue_commit(q, &err), 0);
	settle(made[3], 1, QUEUE_DEFERRED);
	assert_int_equal(queue_hold(q, made[5], NOW, &err), 1);
	for (int by = QUEUE_BY_AGE; by <= QUEUE_BY_SENDER; by++)
		for (size_t page = 1; page <= 9; page++) {
			struct queue_place at = {0};
			int seen = 0, n;

			do {
				n = queue_sorted(q, &f, (enum queue_order)by, &at, keys, page, &err);
				assert_true(n >= 0);
				for (int i = 0; i < n; i++)
					assert_int_equal(keys[i], made[order[by][seen++]]);
			} while (n == (int)page);
			assert_int_equal(seen, 8);
			queue_place_free(&at);
		}
}

/* Whoever lists mass mailings must not hold all their recipients at once: neither those of a page nor those of a message. */
static void test_list_many_recipients(void **state)
{
	enum { MANY = QUEUE_ROW_RECIPIENTS * 2 + 200, PAGE = QUEUE_LIST_RECIPIENTS / QUEUE_ROW_RECIPIENTS };
	struct queue_new_recipient *r = calloc(MANY, sizeof(*r));
	struct queue_new m = message(1, r, MANY);
	struct queue_filter f = {.states = ""};
	struct queue_row rows[PAGE + 2];
	char id[QUEUE_ID];
	int64_t key = 0;

	(void)state;
	assert_non_null(r);
	for (size_t i = 0; i < MANY; i++)
		r[i] = (struct queue_new_recipient){.address = "a@example.net", .original = "a@example.net"};
	assert_int_equal(queue_begin(q, &err), 0);
	for (int i = 0; i < PAGE + 1; i++) {
		m.token[0]++;
		assert_int_equal(put(&m, "Subject: x\n\nbody\n", id), 0);
	}
	assert_int_equal(queue_commit(q, &err), 0);
	for (int want = PAGE; want >= 0; want = want == PAGE ? 1 : want - 1) {
		int n = queue_list(q, &f, &key, rows, PAGE + 2, &err);

		assert_int_equal(n, want);
		while (n) {
			assert_int_equal(rows[--n].nrecipients, QUEUE_ROW_RECIPIENTS);
			queue_row_free(&rows[n]);
		}
	}
	free(r);
}

static int64_t put_numbered(size_t many)
{
	struct queue_new_recipient *r = calloc(many, sizeof(*r));
	struct queue_new m = message(1, r, many);
	char (*to)[40] = calloc(many, sizeof(*to)), id[QUEUE_ID], full[QUEUE_ID];
	int64_t row;

	assert_true(r && to);
	for (size_t i = 0; i < many; i++) {
		snprintf(to[i], sizeof(to[i]), "r%zu@example.net", i);
		r[i] = (struct queue_new_recipient){.address = to[i], .original = to[i]};
	}
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&m, "Subject: x\n\nbody\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
	free(r);
	free(to);
	return row;
}

/* All of a row's recipients, piece by piece, in order and each once: how many. */
static size_t read_pieces(int64_t row, char state)
{
	struct queue_row r;
	char want[40];
	size_t seen = 0;
	int rc;

	assert_int_equal(queue_row(q, row, &r, &err), 1);
	do {
		assert_true(r.nrecipients <= QUEUE_ROW_RECIPIENTS);
		for (size_t i = 0; i < r.nrecipients; i++) {
			snprintf(want, sizeof(want), "r%zu@example.net", seen++);
			assert_string_equal(r.recipients[i].address, want);
			assert_int_equal(r.recipients[i].state, state);
		}
	} while ((rc = queue_row_more(q, &r, &err)) > 0);
	assert_int_equal(rc, 0);
	assert_int_equal(r.nrecipients, 0);
	assert_int_equal(queue_row_more(q, &r, &err), 0);
	queue_row_free(&r);
	return seen;
}

static void test_recipients_in_pieces(void **state)
{
	static const size_t counts[] = {1, QUEUE_ROW_RECIPIENTS - 1, QUEUE_ROW_RECIPIENTS, QUEUE_ROW_RECIPIENTS + 1,
					QUEUE_ROW_RECIPIENTS * 2};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int64_t row = put_numbered(counts[i]);
		bool done;

		assert_int_equal(read_pieces(row, 'q'), counts[i]);
		assert_int_equal(queue_begin(q, &err), 0);
		for (size_t n = 1; n <= counts[i]; n++) {
			struct queue_settle s = verdict(row, (int64_t)n, QUEUE_SENT);

			assert_int_equal(queue_settle(q, &s, &done, &err), 0);
		}
		assert_int_equal(queue_commit(q, &err), 0);
		assert_true(done);
		assert_int_equal(read_pieces(row, 's'), counts[i]);
	}
}

static void test_find(void **state)
{
	char a[QUEUE_ID], b[QUEUE_ID], full[QUEUE_ID], prefix[QUEUE_ID];
	int64_t row, ra = put_one(1, NOW, a), got;

	(void)state;
	put_one(1, NOW, b);
	row = ra;
	assert_int_equal(queue_find(q, a, false, &got, full, &err), 1);
	assert_int_equal(got, row);
	for (int i = 0; a[i]; i++)
		prefix[i] = (char)(a[i] >= 'A' ? a[i] | 32 : a[i]);
	prefix[12] = '\0';
	assert_int_equal(queue_find(q, prefix, true, &got, full, &err), 1);
	assert_string_equal(full, a);
	prefix[2] = '\0';
	assert_int_equal(queue_find(q, prefix, false, &got, full, &err), 2);
	assert_int_equal(queue_find(q, prefix, true, &got, full, &err), 0);
	assert_int_equal(queue_find(q, "", false, &got, full, &err), 0);
	assert_int_equal(queue_find(q, "xyz", false, &got, full, &err), 0);
	assert_int_equal(queue_find(q, "FFFFFFFFFFFFFFFFFFFFFFFF", false, &got, full, &err), 0);
	assert_int_equal(queue_find(q, "000000000001", false, &got, full, &err), 0);
}

static void set_relay(const struct queue_relay *r)
{
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_relay_set(q, r, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
}

static void test_relays(void **state)
{
	struct queue_relay got, r = {
		.nexthop = "[h]:587", .down_until = NOW, .failures = 3, .kind = "tls", .text = "certificate", .known = "flight=no bdat=no",
		.not_before = 1, .minute = 2, .minute_used = 3, .tls = "TLSv1.3", .mechanism = "PLAIN", .extensions = "SIZE DSN", .pauses = {{5, 7}, {8, 9}}, .npauses = 2,
	};

	(void)state;
	assert_int_equal(queue_relay_get(q, "[h]:587", &got, &err), 0);
	set_relay(&r);
	r.failures = 4;
	set_relay(&r);
	assert_int_equal(queue_relay_get(q, "[h]:587", &got, &err), 1);
	assert_memory_equal(&got, &r, sizeof(r));
	r.npauses = 1;
	set_relay(&r);
	assert_int_equal(queue_relay_get(q, "[h]:587", &got, &err), 1);
	assert_int_equal(got.npauses, 1);
}

static bool relay_is_there(const char *name)
{
	struct queue_relay got;

	return queue_relay_get(q, name, &got, &err) == 1;
}

/* One for each sender's login: those that nobody uses go. */
static void test_relays_are_forgotten(void **state)
{
	static const struct queue_relay all[] = {
		{.nexthop = "[h]:587", .last_ok = NOW - 9},
		{.nexthop = "[h]:587 old@example.com", .last_ok = NOW - 9},
		{.nexthop = "[h]:587 new@example.com", .last_ok = NOW + 9},
		{.nexthop = "[h]:587 down@example.com", .last_ok = NOW - 9, .down_since = NOW - 8, .down_until = NOW - 7},
		{.nexthop = "[h]:587 pause@example.com", .last_ok = NOW - 9, .pauses = {{5, 7}}, .npauses = 1},
	};
	bool more;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		set_relay(&all[i]);
	assert_int_equal(queue_expire_history(q, NOW, NOW, &more, &err), 0);
	assert_false(more);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(relay_is_there(all[i].nexthop), i != 1);
}

static int count_relay(void *arg, const struct queue_relay *r)
{
	(void)r;
	(*(int *)arg)++;
	return 0;
}

static void test_relay_list(void **state)
{
	struct queue_relay r = {.nexthop = "[h]:587"};
	int n = 0;

	(void)state;
	assert_int_equal(queue_relay_list(q, count_relay, &n, &err), 0);
	assert_int_equal(n, 0);
	set_relay(&r);
	snprintf(r.nexthop, sizeof(r.nexthop), "[i]:465");
	set_relay(&r);
	assert_int_equal(queue_relay_list(q, count_relay, &n, &err), 0);
	assert_int_equal(n, 2);
}

static void test_expiry(void **state)
{
	char id[QUEUE_ID];
	int64_t a = put_one(1, NOW, id), b = put_one(1, NOW, id), c = put_one(1, NOW, id), key = 0;
	struct queue_event e[9];
	struct queue_totals t;
	bool more;
	int n;

	(void)state;
	settle(a, 1, QUEUE_SENT);
	settle(b, 1, QUEUE_FAILED);
	assert_int_equal(queue_delete(q, c, NOW, &err), 1);
	assert_int_equal(queue_expire_history(q, NOW, NOW, &more, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.failed, 1);
	/* Events keep the time of the machine, messages the one they were given. */
	assert_int_equal(queue_expire_history(q, NOW + 10 * SECOND, clock_wall_us() + 1000 * SECOND, &more, &err), 0);
	assert_int_equal(queue_expire_history(q, NOW + 10 * SECOND, NOW + 10 * SECOND, &more, &err), 0);
	assert_false(more);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.failed, 0);
	n = queue_events(q, NULL, &key, e, 9, &err);
	assert_int_equal(n, 0);
	assert_sound();
}

/* What is forgotten hour by hour still counts. */
static void test_counters(void **state)
{
	const int64_t later = NOW + 3 * 3600 * SECOND;
	uint64_t sent = 9, failed = 9;
	uint32_t s[24], f[24];
	char id[QUEUE_ID];
	bool more;

	(void)state;
	assert_int_equal(queue_counters(q, &sent, &failed, &err), 0);
	assert_int_equal(sent + failed, 0);
	for (int turn = 1; turn <= 2; turn++) {
		settle(put_one(1, NOW, id), 1, QUEUE_SENT);
		settle(put_one(1, NOW, id), 1, QUEUE_FAILED);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(queue_expire_history(q, later, later, &more, &err), 0);
			assert_int_equal(queue_counters(q, &sent, &failed, &err), 0);
			assert_int_equal(sent, turn);
			assert_int_equal(failed, turn);
		}
		assert_int_equal(queue_rates(q, NOW + SECOND, 24, s, f, &err), 0);
		assert_int_equal(s[23] + f[23], 0);
	}
	assert_sound();
}

static void test_space_goes_back(void **state)
{
	struct queue_new_recipient r = {.address = "a@b"};
	size_t size = 8u << 20;
	char *text = malloc(size), id[QUEUE_ID], full[QUEUE_ID], path[100];
	struct queue_new m = message(1, &r, 1);
	struct body b = {.p = text, .n = size};
	struct stat before, after;
	int64_t row;
	bool more = true;

	(void)state;
	memset(text, '\n', size);
	m.size = size;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_put(q, &m, body_source, &b, id, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	free(text);
	assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(sqlite3_wal_checkpoint(q->db, NULL), SQLITE_OK);
	assert_int_equal(stat(path, &before), 0);
	settle(row, 1, QUEUE_SENT);
	while (more)
		assert_int_equal(queue_give_back_space(q, &more, &err), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_size > 8 << 20);
	assert_true(after.st_size < 2 << 20);
	assert_sound();
}

static int64_t that_time(void *arg, uint32_t uid)
{
	return uid == 1 ? *(int64_t *)arg : INT64_MAX;
}

static void test_shifted_clock(void **state)
{
	char id[QUEUE_ID];
	int64_t due, now = NOW;

	(void)state;
	put_one(1, NOW, id);
	put_one(1, NOW + 1000 * SECOND, id);
	put_one(2, NOW + SECOND, id);
	assert_int_equal(queue_shift_times(q, NOW + SECOND, -100 * SECOND, &err), 0);
	assert_int_equal(queue_next_due(q, &due, &err), 0);
	assert_int_equal(due, NOW - 100 * SECOND);
	assert_int_equal(queue_due_after(q, that_time, &now, &due, &err), 0);
	assert_int_equal(due, NOW + 1000 * SECOND);
}

static int64_t number(const char *sql)
{
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(q->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Times that can't be: of the future, and of long ago; and one of the future that can. */
static void test_times_of_a_wrong_clock(void **state)
{
	const int64_t now = NOW, latest = now + 4000 * SECOND;
	struct queue_new_recipient r = {.address = "a@example.net", .original = "a@example.net"};
	struct queue_new later = message(2, &r, 1);
	char id[QUEUE_ID];
	int64_t ahead = put_one(1, now + 1000000 * SECOND, id), ago = put_one(1, 5 * SECOND, id), held = put_one(3, 6 * SECOND, id),
		failed = put_one(4, now - 60 * SECOND, id);

	(void)state;
	later.arrival = now - SECOND;
	later.next_attempt = now + 36000 * SECOND;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(put(&later, "x\n\n", id), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_hold(q, held, now, &err), 1);
	settle(failed, 1, QUEUE_FAILED);
	assert_int_equal(sqlite3_exec(q->db, "UPDATE message SET done = 7 WHERE state = 'f'", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(queue_mend_times(q, 100 * SECOND, 5000 * SECOND, &err), 0);	/* this clock knows no better */
	assert_int_equal(queue_mend_times(q, now, latest, &err), 3);
	assert_int_equal(number("SELECT count(*) FROM message WHERE arrival < 1767225600000000"), 0);
	assert_int_equal(number("SELECT due FROM message WHERE uid = 2"), later.next_attempt);
	assert_int_equal(number("SELECT done FROM message WHERE state = 'f'"), now);
	assert_int_equal(number("SELECT max(due) FROM message WHERE uid = 1"), now);
	assert_int_equal(number("SELECT max(next) FROM recipient WHERE message IN (SELECT id FROM message WHERE uid = 1)"), now);
	assert_int_equal(queue_mend_times(q, now, latest, &err), 0);
	assert_true(ahead < ago);
}

/* After a clock was put back, keys of the time that comes again are there already. */
static void test_keys_that_are_taken(void **state)
{
	char id[QUEUE_ID];
	int64_t first = put_one(1, NOW, id);

	(void)state;
	assert_int_equal(sqlite3_exec(q->db, "UPDATE message SET id = id + 1000000000000", NULL, NULL, NULL), SQLITE_OK);
	first += 1000000000000;
	queue_close(q);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
	assert_true(put_one(1, NOW, id) < first);
	q->last_key = first - 1;
	assert_int_equal(put_one(1, NOW, id), first + 1);
}

static void test_no_statement_stays_open(void **state)
{
	char id[QUEUE_ID], full[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), key = 0, row;
	struct queue_filter f = {0};
	struct queue_row rows[1];
	struct queue_event e[1];
	struct queue_message m;

	(void)state;
	put_one(7, NOW, id);
	settle(r, 1, QUEUE_FAILED);
	assert_int_equal(queue_list(q, &f, &key, rows, 1, &err), 1);
	queue_row_free(&rows[0]);
	key = 0;
	assert_int_equal(queue_events(q, NULL, &key, e, 1, &err), 1);
	queue_event_free(&e[0]);
	assert_int_equal(queue_find(q, "0", false, &row, full, &err) >= 0, 1);
	queue_fetch(q, r, NOW, true, 1, &m, &err);
	assert_null(sqlite3_next_stmt(q->db, NULL) && sqlite3_stmt_busy(sqlite3_next_stmt(q->db, NULL)) ? q : NULL);
	for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(q->db, st));)
		assert_false(sqlite3_stmt_busy(st));
}

/* ---- opening what is not ours */
static void slurp(const char *name, struct buf *b)
{
	char path[100];

	path_in(path, sizeof(path), name);
	buf_init(b, 64u << 20);
	if (io_read_file(path, false, b, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_file(const char *name, const char *p, size_t n)
{
	char path[100];
	FILE *f;

	path_in(path, sizeof(path), name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void assert_refused(int code)
{
	static const unsigned flags[] = {QUEUE_READ, QUEUE_WRITE, QUEUE_WRITE | QUEUE_CREATE};
	struct buf before, after;

	slurp("queue.db", &before);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(queue_open(dir, flags[i], &q, &err), -1);
		assert_int_equal(error_exit(&err), code);
	}
	slurp("queue.db", &after);
	assert_int_equal(before.len, after.len);
	if (before.len)
		assert_memory_equal(before.data, after.data, before.len);
	buf_free(&before);
	buf_free(&after);
}

static void test_no_queue(void **state)
{
	(void)state;
	assert_int_equal(queue_open(dir, QUEUE_READ, &q, &err), -1);
	assert_int_equal(error_exit(&err), EX_NOINPUT);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), -1);
}

static void test_rubbish(void **state)
{
	(void)state;
	write_file("queue.db", "this is no database", 19);
	assert_refused(EX_DATAERR);
	write_file("queue.db", "", 0);
	assert_refused(EX_DATAERR);
}

static void make_foreign(const char *sql)
{
	char path[100];
	sqlite3 *db;

	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_foreign(void **state)
{
	(void)state;
	make_foreign("CREATE TABLE cats (name TEXT); INSERT INTO cats VALUES ('Tom')");
	assert_refused(EX_CONFIG);
}

static void test_other_version(void **state)
{
	(void)state;
	queue_close(q);
	q = NULL;
	make_foreign("PRAGMA user_version = 99");
	assert_refused(EX_TEMPFAIL);
}

/* ---- a queue of version 1 */

static const char version_1[] =
#include "tests/unit/queue_v1.inc"
	;

/* What stands in the schema, without the blanks and quotes that depend on how it came there. */
static void describe(struct buf *out)
{
	sqlite3_stmt *st;

	buf_init(out, 1 << 20);
	assert_int_equal(sqlite3_prepare_v2(q->db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name", -1,
					    &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (const char *p = (const char *)sqlite3_column_text(st, 0); *p; p++)
			if (!strchr(" \t\n\"", *p))
				buf_addc(out, *p);
		buf_addc(out, '\n');
	}
	sqlite3_finalize(st);
}

static void make_version_1(const char *more)
{
	make_foreign(version_1);
	make_foreign(more);
}

static void test_older_version(void **state)
{
	static const char *const tables[] = {"relay", "message", "recipient", "chunk"};
	struct queue_relay r, expected = {
		.nexthop = "[a]:587", .down_since = 11, .down_until = 12, .failures = 3, .kind = "auth", .dsn = "4.7.8",
		.text = "535 \"no\"", .auth_digest = "abc", .last_ok = 13, .cert_expires = 14, .known = "flight=yes window=8",
		.tls = "TLSv1.3 with cipher AES-256-GCM", .mechanism = "SCRAM-SHA-256-PLUS", .extensions = "PIPELINING SIZE",
		.pauses = {{100 * SECOND, 200 * SECOND}, {300 * SECOND, 450 * SECOND}}, .npauses = 2,
	};
	struct buf fresh, carried;
	char path[100];
	int64_t n;

	(void)state;
	describe(&fresh);
	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(unlink(path), 0);
	make_version_1("INSERT INTO relay VALUES ('[a]:587', 11, 12, 3, 'auth', '4.7.8', '535 \"no\"', 'abc', 13, 14,"
		       " '{\"pauses\":\"100-200 300-450\",\"known\":\"flight=yes window=8\",\"tls\":\"TLSv1.3 with cipher AES-256-GCM\","
		       "\"mechanism\":\"SCRAM-SHA-256-PLUS\",\"extensions\":\"PIPELINING SIZE\"}');"
		       "INSERT INTO relay VALUES ('[b]:587', 0, 0, 0, '', '', '', '', 0, 0, '');"
		       "INSERT INTO message VALUES (7, 'q', 1, 0, 1, x'00', 's', NULL, NULL, '7', 0, 3, 1, 0, 1, 1, 1, 0, NULL);"
		       "INSERT INTO recipient VALUES (7, 1, 'q', 'a@b', NULL, NULL, 0, 2, 1, NULL, NULL, NULL);"
		       "INSERT INTO chunk VALUES (1, 'ab')");
	assert_int_equal(queue_open(dir, QUEUE_READ, &q, &err), -1);
	assert_int_equal(error_exit(&err), EX_TEMPFAIL);
	assert_non_null(strstr(err.text, "older version 1"));
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
	describe(&carried);
	assert_string_equal(buf_str(&carried), buf_str(&fresh));
	assert_int_equal(queue_relay_get(q, "[a]:587", &r, &err), 1);
	assert_memory_equal(&r, &expected, sizeof(r));
	assert_int_equal(queue_relay_get(q, "[b]:587", &r, &err), 1);
	assert_int_equal(r.npauses, 0);
	assert_string_equal(r.known, "");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char sql[64];
		sqlite3_stmt *st;

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(q->db, sql, -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		n = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
		assert_int_equal(n, i == 0 ? 2 : 1);
	}
	assert_int_equal(queue_check(q, true, &err), 0);
	buf_free(&fresh);
	buf_free(&carried);
}

/* Where it can't be carried over whole, it stays as it was. */
static void test_older_version_stays(void **state)
{
	struct buf before, after;
	char path[100];

	(void)state;
	path_in(path, sizeof(path), "queue.db");
	queue_close(q);
	q = NULL;
	assert_int_equal(unlink(path), 0);
	make_version_1("CREATE TABLE pause (mine TEXT)");
	slurp("queue.db", &before);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), -1);
	assert_non_null(strstr(err.text, "could not be carried over"));
	slurp("queue.db", &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	buf_free(&before);
	buf_free(&after);
}

static void test_damaged(void **state)
{
	char id[QUEUE_ID], path[100], junk[8192];
	struct queue_totals t;
	int fd;

	(void)state;
	for (int i = 0; i < 50; i++)
		put_one(1, NOW, id);
	sqlite3_wal_checkpoint(q->db, NULL);
	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	fd = open(path, O_WRONLY);
	memset(junk, 0xEE, sizeof(junk));
	for (int page = 2; page < 12; page++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 8192), sizeof(junk));
	close(fd);
	path_in(path, sizeof(path), "queue.db-wal");
	unlink(path);
	if (queue_open(dir, QUEUE_WRITE, &q, &err) == 0) {
		assert_int_equal(queue_check(q, false, &err), 1);
		assert_true(queue_totals(q, &t, &err) <= 0);
	}
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(access(path, F_OK), 0);
}

static void test_modes_and_pragmas(void **state)
{
	char path[100];
	struct stat st;
	sqlite3_stmt *p;

	(void)state;
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	path_in(path, sizeof(path), "queue.db-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sqlite3_prepare_v2(q->db, "SELECT * FROM pragma_page_size, pragma_auto_vacuum, pragma_journal_mode,"
					    " pragma_synchronous", -1, &p, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(p), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(p, 0), 8192);
	assert_int_equal(sqlite3_column_int(p, 1), 2);
	assert_string_equal((const char *)sqlite3_column_text(p, 2), "wal");
	assert_int_equal(sqlite3_column_int(p, 3), 3);
	sqlite3_finalize(p);
}

static void test_reader_beside_writer(void **state)
{
	struct queue *reader, *writer = q;
	struct queue_totals t;
	char id[QUEUE_ID];

	(void)state;
	assert_int_equal(queue_open(dir, QUEUE_READ, &reader, &err), 0);
	put_one(1, NOW, id);
	assert_int_equal(queue_totals(reader, &t, &err), 0);
	assert_int_equal(t.queued, 1);
	assert_int_equal(queue_hold(reader, 1, NOW, &err), -1);
	q = reader;
	queue_close(q);
	q = writer;
	put_one(1, NOW, id);
}

static void test_opens_again(void **state)
{
	char id[QUEUE_ID], other[QUEUE_ID];
	int64_t a = put_one(1, NOW, id), b;
	struct queue_totals t;

	(void)state;
	queue_close(q);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 1);
	b = put_one(1, NOW, other);
	assert_true(b != a);
	assert_sound();
}

static void test_lock(void **state)
{
	int fd = queue_lock(dir, 0, &err), second;
	pid_t pid;
	int status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	second = queue_lock(dir, 30, &err);
	assert_int_equal(second, -1);
	assert_int_equal(error_exit(&err), EX_TEMPFAIL);
	assert_non_null(strstr(err.text, "a flusher is at work"));
	/* An agent that inherited it holds it on. */
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_int_equal(queue_lock(dir, 0, &err), -1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fd = queue_lock(dir, 1000, &err);
	assert_true(fd >= 0);
	close(fd);
}

static void test_backoff(void **state)
{
	(void)state;
	assert_int_equal(queue_backoff_s(1, 300, 4000, 0), 300);
	assert_int_equal(queue_backoff_s(2, 300, 4000, 0), 600);
	assert_int_equal(queue_backoff_s(4, 300, 4000, 0), 2400);
	assert_int_equal(queue_backoff_s(5, 300, 4000, 0), 4000);
	assert_int_equal(queue_backoff_s(4000000000u, 300, 4000, 0), 4000);
	assert_int_equal(queue_backoff_s(1, 300, 4000, UINT32_MAX), 225);
	assert_in_range(queue_backoff_s(3, 300, 4000, 77777777), 900, 1200);
	assert_int_equal(queue_backoff_s(0, 0, 0, 0), 1);
	assert_int_equal(queue_backoff_s(9, 500, 100, 0), 500);
	assert_true(queue_backoff_s(100, 1, INT64_MAX / 2, 0) > 0);
}

/* Nothing that is asked often may walk through a table or sort. */
static void test_query_plans(void **state)
{
	static const enum sql may_scan[] = {SQL_TOTALS, SQL_RELAY_FORGET}; /* few rows; once an hour */

	(void)state;
	for (int i = 0; i < SQL_COUNT; i++) {
		char sql[2048];
		sqlite3_stmt *st;

		assert_non_null(queue_sql[i]);
		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", queue_sql[i]);
		if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
			fail_msg("%s: %s", queue_sql[i], sqlite3_errmsg(q->db));
		while (sqlite3_step(st) == SQLITE_ROW) {
			const char *plan = (const char *)sqlite3_column_text(st, 3);

			if (i == (int)may_scan[0] || i == (int)may_scan[1])
				continue;
			if (strncmp(plan, "SCAN", 4) == 0 || strstr(plan, "TEMP B-TREE"))
				fail_msg("%s: %s", queue_sql[i], plan);
		}
		sqlite3_finalize(st);
	}
}

int main(void)
{
#define WITH_QUEUE(t) cmocka_unit_test_setup_teardown(t, open_queue, remove_dir)
#define WITH_DIR(t) cmocka_unit_test_setup_teardown(t, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_put_and_fetch),
		WITH_QUEUE(test_id_shape),
		WITH_QUEUE(test_large_body),
		WITH_QUEUE(test_empty_body),
		WITH_QUEUE(test_token_again),
		WITH_QUEUE(test_one_put_of_a_group_fails),
		WITH_QUEUE(test_database_fails_within_a_group),
		WITH_QUEUE(test_rollback),
		WITH_QUEUE(test_transaction_undone_behind_our_back),
		WITH_QUEUE(test_sent),
		WITH_QUEUE(test_deferred),
		WITH_QUEUE(test_deferrals_in_history),
		WITH_QUEUE(test_failed_and_retried),
		WITH_QUEUE(test_hold_release_delete),
		WITH_QUEUE(test_warned),
		WITH_QUEUE(test_users_in_turn),
		WITH_QUEUE(test_cursor_and_limit),
		WITH_QUEUE(test_due_of_many_recipients),
		WITH_QUEUE(test_list_pages),
		WITH_QUEUE(test_sorted_pages),
		WITH_QUEUE(test_list_many_recipients),
		WITH_QUEUE(test_recipients_in_pieces),
		WITH_QUEUE(test_find),
		WITH_QUEUE(test_relays),
		WITH_QUEUE(test_relays_are_forgotten),
		WITH_QUEUE(test_relay_list),
		WITH_QUEUE(test_expiry),
		WITH_QUEUE(test_counters),
		WITH_QUEUE(test_space_goes_back),
		WITH_QUEUE(test_shifted_clock),
		WITH_QUEUE(test_times_of_a_wrong_clock),
		WITH_QUEUE(test_keys_that_are_taken),
		WITH_QUEUE(test_no_statement_stays_open),
		WITH_DIR(test_no_queue),
		WITH_DIR(test_rubbish),
		WITH_DIR(test_foreign),
		WITH_QUEUE(test_other_version),
		WITH_QUEUE(test_older_version),
		WITH_QUEUE(test_older_version_stays),
		WITH_QUEUE(test_damaged),
		WITH_QUEUE(test_modes_and_pragmas),
		WITH_QUEUE(test_reader_beside_writer),
		WITH_QUEUE(test_opens_again),
		WITH_DIR(test_lock),
		WITH_DIR(test_backoff),
		WITH_QUEUE(test_query_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
