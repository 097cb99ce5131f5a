/* queue/maintenance/delete_old.c: history is forgotten, and space given back. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

#include <sys/stat.h>

#include "base/deadline.h"

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
	char id[QUEUE_ID];
	bool more;

	(void)state;
	assert_int_equal(queue_counters(q, 0, &sent, &failed, &err), 0);
	assert_int_equal(sent + failed, 0);
	for (int turn = 1; turn <= 2; turn++) {
		settle(put_one(1, NOW, id), 1, QUEUE_SENT);
		settle(put_one(1, NOW, id), 1, QUEUE_FAILED);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(queue_expire_history(q, later, later, &more, &err), 0);
			assert_int_equal(queue_counters(q, 0, &sent, &failed, &err), 0);
			assert_int_equal(sent, turn);
			assert_int_equal(failed, turn);
		}
		assert_int_equal(queue_counters(q, NOW, &sent, &failed, &err), 0);
		assert_int_equal(sent + failed, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_expiry),
		WITH_QUEUE(test_counters),
		WITH_QUEUE(test_space_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
