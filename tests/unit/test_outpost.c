/* What outpost says: explanations, durations and sizes, the diff's masks, mbox quoting is in the system tests. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Before cmocka.h, which has a macro of the same name as our fail(). */
#include "base/text/text.h"
#include "outpost/check/print_hint.h"
#include "outpost/command.h"

#include <cmocka.h>

static const char *hint(enum reason why, const char *name)
{
	static char out[HINT_SIZE];
	struct relayhost r = {.host = "mail.example.com", .port = "2525"};

	hint_write(out, why, &r, name);
	return out;
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void test_hints(void **state)
{
	(void)state;
	assert_holds(hint(REASON_TLS_NAME_MISMATCH, "mx.example.net"), "relayhost = [mx.example.net]:2525");
	assert_holds(hint(REASON_TLS_NOT_OFFERED, NULL), "[mail.example.com]:465");
	assert_holds(hint(REASON_CONNECT_REFUSED, NULL), "port 2525");
	assert_holds(hint(REASON_DNS_NOT_FOUND, NULL), "getent ahosts mail.example.com");
	assert_string_equal(hint(REASON_NONE, NULL), "");
	for (int r = 1; r < REASONS; r++)	/* every word in braces is one that is known */
		if (strstr(hint((enum reason)r, "x"), "{"))
			fail_msg("%s", reason_name((enum reason)r));
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
	static const char *const bad[] = {"", "h", "-1h", "1.5h", "1hh", "99999999999999999999d"};
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
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
