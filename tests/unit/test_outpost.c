/* What outpost says: explanations, durations and sizes, the diff's masks, mbox quoting is in the system tests. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Before cmocka.h, which has a macro of the same name as our fail(). */
#include "base/text.h"
#include "delivery/words.h"
#include "outpost/command.h"
#include "outpost/check/explain.h"

#include <cmocka.h>

static const char *mend(int kind, const char *text)
{
	static struct buf out;
	struct relayhost r = {.host = "mail.example.com", .port = "2525"};

	buf_free(&out);
	buf_init(&out, 8192);
	return explain(&out, kind, text, &r) ? buf_str(&out) : "";
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void test_explanations(void **state)
{
	static const struct {
		int kind;
		const char *text, *part;
	} rows[] = {
		{DOWN_TLS, "its certificate: certificate is for mx.example.net, x.example.net, not mail.example.com",
		 "relayhost = [mx.example.net]:2525"},
		{DOWN_TLS, "its certificate expired on 2020-01-01; smtp_tls_CAfile = its CA", "renew"},
		{DOWN_TLS, "its certificate is valid only from 2030-01-01 on", "clock"},
		{DOWN_TLS, "its certificate was issued by X, which is not trusted here", "smtp_tls_CAfile = /path"},
		{DOWN_TLS, "TLS is required, but was not offered by host h[a]", "[mail.example.com]:465"},
		{DOWN_NETWORK, "connect to h[a]:2525: Connection refused", "port 2525"},
		{DOWN_NETWORK, "connect to h[a]:2525: Connection timed out", "block"},
		{DOWN_DNS, "host x not found: the name does not exist", "getent ahosts mail.example.com"},
		{DOWN_LOCAL, "connect to h[a]:2525: Network is unreachable", "ip route"},
		{DOWN_AUTH, "server h said: 535 5.7.8 Error", "user:password"},
		{DOWN_AUTH, "server h said: 535 5.7.139 no", "oauth2:"},
		{DOWN_AUTH, "no login mechanism in common with h: it offers GSSAPI", "smtp_sasl_mechanism_filter"},
		{DOWN_BUSY, "host h[a] said: 554 5.7.1 Your account is suspended (in reply to MAIL FROM command)",
		 "ask there why"},
		{DOWN_BUSY, "host h[a] said: 454 4.7.0 Throttling (in reply to MAIL FROM command)", "slow down"},
		{0, "host h[a] said: 550 5.1.1 User unknown", "recipient"},
		{0, "host h[a] said: 553 5.7.1 Sender address rejected: not owned by user", "from_address"},
		{0, "host h[a] said: 451 4.3.0 Try again later", "by itself"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_holds(mend(rows[i].kind, rows[i].text), rows[i].part);
	assert_string_equal(mend(0, "host h[a] said: 599 5.0.0 gibberish"), "");
	assert_int_equal(explain_kind(REASON_TLS_FAILED), DOWN_TLS);
	assert_int_equal(explain_kind(REASON_NONE), 0);
}

/* What stops the sending has its advice, whichever of the words it was; a limit that passes has another. */
static void test_closed_accounts(void **state)
{
	struct span rest = span_of(DELIVERY_ACCOUNT_CLOSED "|" DELIVERY_SENDING_STOPPED), word;
	char text[200];

	(void)state;
	while (span_word(&rest, "|", &word)) {
		snprintf(text, sizeof(text), "host h[a] said: 550 5.7.1 Your %.*s (in reply to MAIL FROM command)",
			 (int)word.n, word.p);
		assert_holds(mend(DOWN_BUSY, text), "ask there why");
	}
	assert_holds(mend(DOWN_BUSY, "host h[a] said: 451 4.7.1 Your account is over its hourly limit (in reply to "
				     "RCPT TO command)"), "slow down");
}

static void test_durations(void **state)
{
	static const struct {
		int64_t s;
		const char *words;
	} rows[] = {{-5, "0 s"},      {0, "0 s"},         {59, "59 s"},        {60, "1 min"},   {61, "1 min"},
		    {3599, "59 min"}, {3600, "1 h"},      {3660, "1 h 1 min"}, {36000, "10 h"}, {36060, "10 h"},
		    {86400, "1 d"},   {90000, "1 d 1 h"}, {864000, "10 d"}};
	char out[40];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(words_duration(rows[i].s, out, sizeof(out)), rows[i].words);
}

static void test_sizes(void **state)
{
	char out[40];

	(void)state;
	assert_string_equal(words_size(0, out, sizeof(out)), "0 bytes");
	assert_string_equal(words_size(1, out, sizeof(out)), "1 byte");
	assert_string_equal(words_size(1023, out, sizeof(out)), "1023 bytes");
	assert_string_equal(words_size(1024, out, sizeof(out)), "1.0 KB");
	assert_string_equal(words_size(25 << 20, out, sizeof(out)), "25 MB");
	assert_string_equal(words_size((uint64_t)3 << 30, out, sizeof(out)), "3.0 GB");
	assert_string_equal(words_count(1, "message", "messages", out, sizeof(out)), "1 message");
	assert_string_equal(words_count(0, "message", "messages", out, sizeof(out)), "0 messages");
}

static void test_ages(void **state)
{
	static const char *const bad[] = {"", "h", "-1h", "1.5h", "1 h", "1hh", "99999999999999999999d"};
	struct error err;
	int64_t s;

	(void)state;
	assert_int_equal(words_parse_age("90", &s, &err), 0);
	assert_int_equal(s, 90);
	assert_int_equal(words_parse_age("15m", &s, &err), 0);
	assert_int_equal(s, 900);
	assert_int_equal(words_parse_age("2w", &s, &err), 0);
	assert_int_equal(s, 14 * 86400);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(words_parse_age(bad[i], &s, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explanations), cmocka_unit_test(test_closed_accounts),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
