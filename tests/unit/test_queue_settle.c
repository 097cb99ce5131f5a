/* queue/settle.c: verdicts. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

static void test_sent(void **state)
{
	char id[QUEUE_ID], piece[10];
	struct queue_totals t;
	struct queue_row row;
	struct queue_filter f = {.states = "s"};
	struct queue_event e[8];
	uint64_t sent, failed;
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
	assert_int_equal(queue_counters(q, NOW, &sent, &failed, &err), 0);
	assert_int_equal(sent, 1);
	assert_int_equal(failed, 0);
	assert_int_equal(queue_counters(q, NOW + 3600 * SECOND, &sent, &failed, &err), 0);
	assert_int_equal(sent, 0);
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
	due = first_due();
	assert_int_equal(due, NOW + 600 * SECOND);
	assert_int_equal(queue_next_user(q, -1, NOW, false, &uid, &err), 0);
	assert_int_equal(queue_next_user(q, -1, NOW, true, &uid, &err), 1);
	assert_int_equal(uid, 7);
	assert_int_equal(queue_next(q, 7, NOW, false, 10, &c, &m, &err), 0);
	assert_int_equal(queue_fetch(q, r, NOW, false, 10, &m, &err), 0);
	assert_int_equal(queue_next(q, 7, NOW, true, 10, &c, &m, &err), 1);
	assert_int_equal(m.recipients[0].attempts, 1);
	assert_int_equal(m.recipients[0].reason, REASON_GREYLISTED);
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
		struct queue_settle s = verdict(r, 1, QUEUE_DEFERRED);

		snprintf(text, sizeof(text), "450 try %d", i);
		s.text = text;
		settle_as(&s);
	}
	key = 0;
	n = queue_events(q, id, &key, e, 80, &err);
	assert_true(n >= 3 && n <= 30);
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
	char id[QUEUE_ID], piece[10];
	int64_t rowid, key = 0;

	(void)state;
	m.sender = "";
	rowid = put_message(&m, "x\n", id);
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
	assert_int_equal(row.recipients[0].reason, REASON_GREYLISTED);
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

static void test_warned(void **state)
{
	char id[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), key = 0;
	struct queue_event e[2];
	struct queue_message m;

	(void)state;
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_warned(q, r, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
	assert_int_equal(queue_events(q, id, &key, e, 2, &err), 2);
	assert_string_equal(e[1].kind, "warned");
	queue_event_free(&e[0]);
	queue_event_free(&e[1]);
	assert_int_equal(queue_fetch(q, r, NOW, false, 1, &m, &err), 1);
	assert_true(m.recipients[0].delay_warned);
	queue_message_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_sent),
		WITH_QUEUE(test_deferred),
		WITH_QUEUE(test_deferrals_in_history),
		WITH_QUEUE(test_failed_and_retried),
		WITH_QUEUE(test_warned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
