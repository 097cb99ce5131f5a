/* queue/hold_delete.c: what an administrator changes. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_hold_release_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
