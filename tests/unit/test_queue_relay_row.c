/* queue/relay_row.c: the relays' state. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

static void set_relay(const struct queue_relay *r)
{
	assert_int_equal(queue_begin(q, &err), 0);
	assert_int_equal(queue_relay_set(q, r, &err), 0);
	assert_int_equal(queue_commit(q, &err), 0);
}

static void test_relays(void **state)
{
	struct queue_relay got, r = {
		.nexthop = "[h]:587", .down_until = NOW, .failures = 3, .reason = REASON_TLS_EXPIRED,
		.text = "certificate",
		.known = "flight=no bdat=no", .not_before = 1, .tls = "TLSv1.3", .mechanism = "PLAIN",
		.extensions = "SIZE DSN", .pauses = {{5, 7}, {8, 9}}, .npauses = 2,
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
		{.nexthop = "[h]:587 down@example.com",
		 .last_ok = NOW - 9,
		 .down_since = NOW - 8,
		 .down_until = NOW - 7},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_relays),
		WITH_QUEUE(test_relays_are_forgotten),
		WITH_QUEUE(test_relay_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
