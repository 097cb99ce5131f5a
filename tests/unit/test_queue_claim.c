/* queue/claim.c and queue/backoff.c: what is due, and when. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

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
	put_message(&m, "x\n", id);
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
	char id[QUEUE_ID];
	int64_t row, due;
	bool done;

	(void)state;
	row = put_message(&m, "x\n", id);
	assert_int_equal(queue_begin(q, &err), 0);
	s = verdict(row, 1, QUEUE_DEFERRED);
	s.next_attempt = NOW + 50 * SECOND;
	assert_int_equal(queue_settle(q, &s, &done, &err), 0);
	s = verdict(row, 2, QUEUE_DEFERRED);
	s.next_attempt = NOW + 40 * SECOND;
	assert_int_equal(queue_settle(q, &s, &done, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	due = first_due();
	assert_int_equal(due, NOW + 40 * SECOND);
	assert_int_equal(queue_retry(q, row, NOW + 2 * SECOND, &err), 1);
	due = first_due();
	assert_int_equal(due, NOW + 2 * SECOND);
}

static void test_backoff(void **state)
{
	int64_t wait;

	(void)state;
	assert_int_equal(queue_backoff_s(1, 300, 4000, 0), 300);
	assert_int_equal(queue_backoff_s(2, 300, 4000, 0), 600);
	assert_int_equal(queue_backoff_s(4, 300, 4000, 0), 2400);
	assert_int_equal(queue_backoff_s(5, 300, 4000, 0), 4000);
	assert_int_equal(queue_backoff_s(4000000000u, 300, 4000, 0), 4000);
	assert_int_equal(queue_backoff_s(1, 300, 4000, UINT32_MAX), 225);
	wait = queue_backoff_s(3, 300, 4000, 77777777);
	assert_true(wait >= 900 && wait <= 1200);
	assert_int_equal(queue_backoff_s(0, 0, 0, 0), 1);
	assert_int_equal(queue_backoff_s(9, 500, 100, 0), 500);
	assert_true(queue_backoff_s(100, 1, INT64_MAX / 2, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_users_in_turn),
		WITH_QUEUE(test_cursor_and_limit),
		WITH_QUEUE(test_due_of_many_recipients),
		WITH_DIR(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
