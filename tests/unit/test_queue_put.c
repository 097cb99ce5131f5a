/* queue/put.c: messages come in, each whole or not at all. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

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
	put_message(&m, "Subject: x\n\nbody\n", id);
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
	put_message(&m, "", id);
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

/* A small message that can't be written takes its group with it, but not when the group is tried again; a large one
 * goes alone. Never is half of one there. */
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
	assert_int_equal(sqlite3_exec(q->db, "CREATE TEMP TRIGGER refuse BEFORE INSERT ON recipient WHEN new.address "
					     "= 'bad@b' "
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
	due = first_due();
	assert_true(due == INT64_MAX);
	assert_int_equal(put(&a, "x\n", id), -1); /* outside of a transaction */
	put_message(&a, "x\n", id);
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

/* After a clock was put back, keys of the time that comes again are there already. */
static void test_keys_that_are_taken(void **state)
{
	char id[QUEUE_ID];
	int64_t first = put_one(1, NOW, id);

	(void)state;
	assert_int_equal(sqlite3_exec(q->db, "UPDATE message SET id = id + 1000000000000", NULL, NULL, NULL),
			 SQLITE_OK);
	first += 1000000000000;
	queue_close(q);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
	assert_true(put_one(1, NOW, id) < first);
	q->last_key = first - 1;
	assert_int_equal(put_one(1, NOW, id), first + 1);
}

int main(void)
{
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
		WITH_QUEUE(test_keys_that_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
