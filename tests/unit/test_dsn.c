#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mail/dsn.h"
#include "mail/mailq_format.h"

static bool has(const struct buf *b, const char *s)
{
	return strstr(buf_str(b), s) != NULL;
}

static void put_row(struct buf *out, const struct listing_row *r, bool json)
{
	listing_begin(out, r, json);
	listing_recipients(out, r, json);
	listing_end(out, json);
}

static void test_bounce(void **state)
{
	const struct dsn_recipient to[] = {
		{"u@x.example", "root", "rfc822;root@h", "5.1.1", "host mx[1.2.3.4]:587 said: 550 5.1.1 no such user",
		 "mx[1.2.3.4]:587", 1},
		{"v@x.example", "v@x.example", NULL, "", "gave up\nafter a day", NULL, 0},
	};
	struct dsn_report r = {.action = DSN_ACTION_FAILED, .queue_id = "4ABC", .to = "me@y.example",
			       .reporter = "h.example",
			       .from_address = "MAILER-DAEMON@y.example", .envid = "E1", .arrival = 1, .now = 2,
			       .recipients = to, .nrecipients = 2, .full = true, .boundary = "b0"};
	struct buf out;
	uint32_t header;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(dsn_head(&r, &out, &header), 0);
	assert_int_equal(dsn_tail(&r, &out), 0);
	assert_true(header > 100 && header < out.len);
	assert_memory_equal(out.data + header - 2, "\n\n", 2);
	assert_true(has(&out, "To: me@y.example\n"));
	assert_true(has(&out, "report-type=delivery-status"));
	assert_true(has(&out, "\nReporting-MTA: dns; h.example\nOriginal-Envelope-Id: E1\n"));
	assert_true(has(&out, "\nOriginal-Recipient: rfc822; root@h\nFinal-Recipient: rfc822; u@x.example\nAction: "
			      "failed\nStatus: 5.1.1\n"
			      "Remote-MTA: dns; mx\nDiagnostic-Code: smtp; host mx"));
	assert_true(has(&out, "Status: 5.0.0\nDiagnostic-Code: X-Outpost; gave up?after a day\n"));
	assert_true(has(&out,
			"<u@x.example> (written to <root>):\n    host mx[1.2.3.4]:587 said: 550 5.1.1 no such user\n"));
	assert_true(has(&out, "message/rfc822"));
	assert_true(has(&out, "\n--b0--\n"));
	buf_free(&out);
}

static void test_listing(void **state)
{
	const struct listing_recipient to[] = {
		{"a@x.example", "a@x.example", "connect to mx:587: timed out", REASON_CONNECT_TIMEOUT, "4.4.1",
		 'q', 2, 5000000},
		{"b@x.example", "root", "connect to mx:587: timed out", REASON_CONNECT_TIMEOUT, "4.4.1",
		 'q', 2, 5000000},
		{"c@x.example", "c@x.example", NULL, REASON_NONE, NULL, 'q', 0, 0},
	};
	struct listing_row row = {.id = "4ABCDEF", .active = true, .size = 1234, .arrival = 1794823200000000,
				  .sender = "",
				  .uid = 7, .recipients = to, .nrecipients = 3};
	struct listing_totals totals = {2, 5000};
	struct buf out;

	(void)state;
	setenv("TZ", "UTC", 1);
	buf_init(&out, 100000);
	listing_text_head(&out);
	put_row(&out, &row, false);
	listing_text_foot(&out, &totals);
	assert_string_equal(buf_str(&out),
		"----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
		"4ABCDEF*              1234 Mon Nov 16 10:00:00 MAILER-DAEMON\n"
		"                                                (connect to mx:587: timed out)\n"
		"                                               a@x.example\n"
		"                                               b@x.example\n"
		"                                               c@x.example\n"
		"\n"
		"-- 4 Kbytes in 2 Requests.\n");
	buf_reset(&out);
	row.active = false;
	row.nrecipients = 1;
	put_row(&out, &row, true);
	assert_string_equal(buf_str(&out),
		"{\"queue_name\": \"deferred\", \"queue_id\": \"4ABCDEF\", \"arrival_time\": 1794823200, "
		"\"message_size\": 1234, "
		"\"forced_expire\": false, \"sender\": \"MAILER-DAEMON\", \"uid\": 7, \"recipients\": [{\"address\": "
		"\"a@x.example\", "
		"\"delay_reason\": \"connect to mx:587: timed out\", \"reason\": \"connect-timeout\", "
		"\"dsn\": \"4.4.1\", \"state\": \"queued\", "
		"\"attempts\": 2, "
		"\"next_attempt\": 5}]}\n");
	buf_reset(&out);
	row.masked = true;
	row.sender = "me@x";
	put_row(&out, &row, false);
	put_row(&out, &row, true);
	assert_null(strstr(buf_str(&out), "@x"));
	assert_null(strstr(buf_str(&out), "attempt"));
	totals = (struct listing_totals){0, 0};
	buf_reset(&out);
	listing_text_foot(&out, &totals);
	assert_string_equal(buf_str(&out), "Mail queue is empty\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounce), cmocka_unit_test(test_listing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
