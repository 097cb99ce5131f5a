/* queue/migrate.c: queues of older versions, as tests/data has them. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

/* In place of the queue that is open there is one of this version, with more SQL run on it. */
static void make_version(int version, const char *more)
{
	const char *top = getenv("srcdir");
	char path[500];
	struct buf sql;

	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/tests/data/queue_v%d.sql", top ? top : ".", version);
	buf_init(&sql, 1 << 20);
	if (io_read_file(path, false, &sql, NULL, &err) < 0)
		fail_msg("%s", err.text);
	run_sql(buf_str(&sql));
	run_sql(more);
	buf_free(&sql);
}

static void describe_rows(struct buf *out, const char *sql)
{
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_prepare_v2(q->db, sql, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (const char *p = (const char *)sqlite3_column_text(st, 0); *p; p++)
			if (!strchr(" \t\n\"", *p))
				buf_addc(out, *p);
		buf_addc(out, '\n');
	}
	sqlite3_finalize(st);
}

/* The schema, whatever way it came about: the columns of the tables in their order, and the SQL of all else. */
static void describe(struct buf *out)
{
	buf_init(out, 1 << 20);
	describe_rows(out, "SELECT t.name || t.wr || c.cid || c.name || c.type || c.\"notnull\" || c.pk"
			   " FROM pragma_table_list t JOIN pragma_table_info(t.name) c WHERE t.schema = 'main'"
			   " ORDER BY t.name, c.cid");
	describe_rows(out,
		      "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'table' ORDER BY type, name");
}

static int64_t count(const char *what)
{
	int64_t n = -1;
	char sql[300];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", what);
	assert_int_equal(db_query(q, sql, &n, NULL, 0, &err), 0);
	return n;
}

/* What an old one becomes is what a new one is. */
static void assert_carried(int version)
{
	struct buf fresh, carried;
	char said[40];

	describe(&fresh);
	make_version(version, "");
	snprintf(said, sizeof(said), "older version %d", version);
	assert_int_equal(queue_open(dir, QUEUE_READ, &q, &err), -1);
	assert_non_null(strstr(err.text, said));
	if (queue_open(dir, QUEUE_WRITE, &q, &err) < 0)
		fail_msg("%s", err.text);
	describe(&carried);
	assert_string_equal(buf_str(&carried), buf_str(&fresh));
	assert_sound();
	buf_free(&fresh);
	buf_free(&carried);
}

static void test_version_1(void **state)
{
	struct queue_relay r, expected = {
		.nexthop = "[a]:587", .down_since = 11, .down_until = 12, .failures = 3, .reason = REASON_LOGIN_FAILED,
		.dsn = "4.7.8", .text = "535 \"no\"", .last_ok = 13, .cert_expires = 14,
		.known = "flight=yes window=8", .tls = "TLSv1.3 with cipher AES-256-GCM",
		.mechanism = "SCRAM-SHA-256-PLUS", .extensions = "PIPELINING SIZE",
		.pauses = {{100 * SECOND, 200 * SECOND}, {300 * SECOND, 450 * SECOND}}, .npauses = 2,
	};

	(void)state;
	assert_carried(1);
	assert_int_equal(queue_relay_get(q, "[a]:587", &r, &err), 1);
	assert_memory_equal(&r, &expected, sizeof(r));
	assert_int_equal(queue_relay_get(q, "[b]:587", &r, &err), 1);
	assert_int_equal(r.npauses, 0);
	assert_string_equal(r.known, "");
	assert_int_equal(count("relay"), 2);
	assert_int_equal(count("message"), 1);
	assert_int_equal(count("recipient"), 1);
	assert_int_equal(count("chunk"), 1);
}

static void assert_relay_reasons(void)
{
	static const struct {
		const char *host;
		enum reason reason;
	} relays[] = {
		{"network", REASON_CONNECTION_LOST}, {"local", REASON_NETWORK_LOCAL}, {"dns", REASON_DNS_FAILED},
		{"greeting", REASON_SESSION_REFUSED}, {"tls", REASON_TLS_FAILED}, {"auth", REASON_LOGIN_FAILED},
		{"config", REASON_CONFIG}, {"busy", REASON_RELAY_BUSY}, {"up", REASON_NONE},
	};

	for (size_t i = 0; i < sizeof(relays) / sizeof(relays[0]); i++) {
		struct queue_relay r;
		char nexthop[60];

		snprintf(nexthop, sizeof(nexthop), "[%s.example.com]:587", relays[i].host);
		assert_int_equal(queue_relay_get(q, nexthop, &r, &err), 1);
		assert_int_equal(r.reason, relays[i].reason);
		assert_int_equal(r.failures, i);
		assert_int_equal(r.down_until, r.reason ? NOW + 60 * SECOND : 0);
		assert_int_equal(r.not_before, NOW + SECOND);
		assert_int_equal(r.npauses, r.reason == REASON_LOGIN_FAILED);
	}
}

/* Sends all that is queued: how many recipients. Each body is whole. */
static size_t drain(void)
{
	struct queue_message m;
	size_t sent = 0;
	uint32_t uid;

	while (queue_next_user(q, -1, NOW, true, &uid, &err) == 1) {
		struct queue_cursor c = {0};

		while (queue_next(q, uid, NOW, true, 10, &c, &m, &err) == 1) {
			char text[200];

			assert_int_equal(queue_read(q, m.row, 0, text, sizeof(text), &err), m.size);
			assert_memory_equal(text, "Subject: ", 9);
			for (size_t i = 0; i < m.nrecipients; i++, sent++)
				settle(m.row, m.recipients[i].id, QUEUE_SENT);
			queue_message_free(&m);
		}
	}
	return sent;
}

/* Mail in every state. What was known of reasons before this version is nothing. */
static void test_version_2(void **state)
{
	struct queue_totals t;
	int64_t key = 0, held;
	struct queue_filter f = {.states = "h"};
	struct queue_row row;

	(void)state;
	assert_carried(2);
	assert_relay_reasons();
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 4);
	assert_int_equal(t.held, 1);
	assert_int_equal(t.failed, 2);
	assert_int_equal(count("recipient WHERE reason IS NOT NULL"), 0);
	assert_int_equal(count("event"), 10);
	assert_int_equal(queue_list(q, &f, &key, &row, 1, &err), 1);
	held = row.row;
	queue_row_free(&row);
	assert_int_equal(queue_release(q, held, NOW, &err), 1);
	assert_int_equal(drain(), 6);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued + t.held, 0);
	assert_int_equal(t.failed, 3);
	assert_sound();
}

/* What cannot be carried over whole stays as it was. */
static void test_stays(void **state)
{
	static const char *const obstacles[] = {
		[1] = "CREATE TABLE pause (mine TEXT)",
		[2] = "ALTER TABLE relay ADD COLUMN reason TEXT",
	};

	(void)state;
	for (int version = 1; version < QUEUE_VERSION; version++) {
		struct buf before, after;

		if (version > 1)
			assert_int_equal(queue_open(dir, QUEUE_WRITE | QUEUE_CREATE, &q, &err), -1);
		make_version(version, obstacles[version]);
		slurp("queue.db", &before);
		assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), -1);
		assert_non_null(strstr(err.text, "could not be carried over"));
		slurp("queue.db", &after);
		assert_int_equal(before.len, after.len);
		assert_memory_equal(before.data, after.data, before.len);
		buf_free(&before);
		buf_free(&after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_version_1),
		WITH_QUEUE(test_version_2),
		WITH_QUEUE(test_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
