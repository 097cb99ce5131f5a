/* queue/list.c: listings, page by page. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

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
}

/* Whoever lists mass mailings must not hold all their recipients at once: neither those of a page nor those of a
 * message. */
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
	char (*to)[40] = calloc(many, sizeof(*to)), id[QUEUE_ID];
	int64_t row;

	assert_true(r && to);
	for (size_t i = 0; i < many; i++) {
		snprintf(to[i], sizeof(to[i]), "r%zu@example.net", i);
		r[i] = (struct queue_new_recipient){.address = to[i], .original = to[i]};
	}
	row = put_message(&m, "Subject: x\n\nbody\n", id);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_list_pages),
		WITH_QUEUE(test_list_many_recipients),
		WITH_QUEUE(test_recipients_in_pieces),
		WITH_QUEUE(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
