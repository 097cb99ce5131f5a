/* queue/clock_correction.c: times that a wrong clock noted. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

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
	due = first_due();
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
	int64_t ahead = put_one(1, now + 1000000 * SECOND, id), ago = put_one(1, 5 * SECOND, id),
		held = put_one(3, 6 * SECOND, id), failed = put_one(4, now - 60 * SECOND, id);

	(void)state;
	later.arrival = now - SECOND;
	later.next_attempt = now + 36000 * SECOND;
	put_message(&later, "x\n\n", id);
	assert_int_equal(queue_hold(q, held, now, &err), 1);
	settle(failed, 1, QUEUE_FAILED);
	assert_int_equal(sqlite3_exec(q->db, "UPDATE message SET done = 7 WHERE state = 'f'", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(queue_correct_times(q, 100 * SECOND, 5000 * SECOND, &err), 0);	/* this clock knows no better */
	assert_int_equal(queue_correct_times(q, now, latest, &err), 3);
	assert_int_equal(number("SELECT count(*) FROM message WHERE arrival < 1767225600000000"), 0);
	assert_int_equal(number("SELECT due FROM message WHERE uid = 2"), later.next_attempt);
	assert_int_equal(number("SELECT done FROM message WHERE state = 'f'"), now);
	assert_int_equal(number("SELECT max(due) FROM message WHERE uid = 1"), now);
	assert_int_equal(number("SELECT max(next) FROM recipient WHERE message IN (SELECT id FROM message WHERE uid "
				"= 1)"), now);
	assert_int_equal(queue_correct_times(q, now, latest, &err), 0);
	assert_true(ahead < ago);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_shifted_clock),
		WITH_QUEUE(test_times_of_a_wrong_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
