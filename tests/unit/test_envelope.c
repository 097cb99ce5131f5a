/* test_envelope.c: MAIL and RCPT lines, and what cannot go on one. */
#include "config.h"
#include "failing_malloc.h"
#include "smtp/agent.h"
#include "smtp/transaction/envelope.h"
#include "unit.h"

/* Without memory an address is not the relay's trouble, and not for good. */
static void envelope_without_memory(void **state)
{
	static const char *const addresses[] = {"a@example.net", "a@b\xc3\xbc" "cher.example"};
	static const struct ehlo none;

	(void)state;
	if (!CAN_FAIL)
		skip();
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct delivery_recipient r = {.address = (char *)(uintptr_t)addresses[i]};
		struct delivery_verdict v;
		bool failed = true;

		assert_int_equal(envelope_check_recipient(&r, &none, "relay", &v), 0);
		for (long n = 1; failed; n++) {
			int rc;

			fails_at = n;
			rc = envelope_check_recipient(&r, &none, "relay", &v);
			failed = fails_at == 0;
			fails_at = 0;
			if (rc < 0)
				assert_int_equal(v.fate, FATE_DEFERRED);
		}
	}
}

static struct delivery_recipient one = {1, "a@example.com", NULL, 0};

static struct message plain_message(void)
{
	struct message m = {.m = {.seq = 1, .sender = "s@example.com", .body = '7', .size = 100, .lines = 10,
			    .recipients = &one,
				  .nrecipients = 1}};

	buf_init(&m.body, 1 << 16);
	return m;
}

static void mail_lines(void **state)
{
	struct ehlo none = {},
		    all = {.size = true, .eightbit = true, .smtputf8 = true, .dsn = true};
	struct message m = plain_message();
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	envelope_mail(&b, &m, &none, 0);
	assert_string_equal(buf_str(&b), "MAIL FROM:<s@example.com>\r\n");
	m.m.body = '8';
	m.m.ret = 'H';
	m.m.envid = "id+1 =x";
	buf_reset(&b);
	envelope_mail(&b, &m, &all, 0);
	assert_string_equal(buf_str(&b),
			    "MAIL FROM:<s@example.com> SIZE=110 BODY=8BITMIME RET=HDRS ENVID=id+2B1+20+3Dx\r\n");
	m.m.smtputf8 = true;
	m.m.sender = "";
	buf_reset(&b);
	envelope_mail(&b, &m, &all, 77);
	assert_string_equal(buf_str(&b),
			    "MAIL FROM:<> SIZE=77 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1+20+3Dx\r\n");
	buf_free(&b);
}

static void rcpt_lines(void **state)
{
	static const struct {
		struct delivery_recipient r;
		const char *plain, *dsn;
	} cases[] = {
		{{1, "a@b.example", NULL, 0}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example>\r\n"},
		{{1, "a..b@c.example", NULL, 0}, "RCPT TO:<\"a..b\"@c.example>\r\n", NULL},
		{{1, "a.@b\xc3\xbc" "cher.example", NULL, 0}, "RCPT TO:<\"a.\"@xn--bcher-kva.example>\r\n", NULL},
		{{1, "\"a b\"@c.example", NULL, 0}, "RCPT TO:<\"a b\"@c.example>\r\n", NULL},
		{{1, "a@b.example", "rfc822;x+y@z", 1}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> "
			"NOTIFY=NEVER ORCPT=rfc822;x+2By@z\r\n"},
		{{1, "a@b.example", "x-y z;a", 0}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> "
			"ORCPT=x-y+20z;a\r\n"},
		{{1, "a@b.example", NULL, 2 | 8}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> "
			"NOTIFY=SUCCESS,DELAY\r\n"},
		{{1, "a@b\xc3\xbc" "cher.example", NULL, 0}, "RCPT TO:<a@xn--bcher-kva.example>\r\n", NULL},
	};
	struct ehlo none = {}, dsn = {.dsn = true};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&b);
		envelope_rcpt(&b, &cases[i].r, &none);
		assert_string_equal(buf_str(&b), cases[i].plain);
		buf_reset(&b);
		envelope_rcpt(&b, &cases[i].r, &dsn);
		if (cases[i].dsn)
			assert_string_equal(buf_str(&b), cases[i].dsn);
	}
	buf_free(&b);
}

static void what_cannot_go(void **state)
{
	struct ehlo none = {}, small = {.size = true, .size_limit = 109};
	static const struct {
		const char *address, *dsn;
	} bad[] = {
		{"", "5.1.3"}, {"a@b\r\nDATA", "5.1.3"}, {"a@b> NOTIFY=NEVER", "5.1.3"}, {"<a@b", "5.1.3"},
		{"a b@c", "5.1.3"},
		{"\"open@c", "5.1.3"}, {"\xc3\xa9@example.com", "5.6.7"},
		/* fullwidth > and blank, which TR46 maps to ASCII's */
		{"a@example\xef\xbc\x9e\xe3\x80\x80X.com", "5.6.7"}, {"a@example\xef\xbc\xa0good.com", "5.6.7"},
	};
	struct message m = plain_message();
	struct delivery_verdict v;

	(void)state;
	assert_int_equal(envelope_check(&m, &none, "h", &v), 0);
	assert_int_equal(envelope_check(&m, &small, "h", &v), -1);
	assert_string_equal(v.dsn, "5.3.4");
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct delivery_recipient r = {1, bad[i].address, NULL, 0};

		assert_int_equal(envelope_check_recipient(&r, &none, "h", &v), -1);
		assert_string_equal(v.dsn, bad[i].dsn);
		assert_int_equal(v.fate, FATE_FAILED);
	}
	one.address = "\"odd one\"@example.com";
	assert_int_equal(envelope_check_recipient(&one, &none, "h", &v), 0);
	one.address = "a@example.com";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelope_without_memory),
		cmocka_unit_test(mail_lines),
		cmocka_unit_test(rcpt_lines),
		cmocka_unit_test(what_cannot_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
