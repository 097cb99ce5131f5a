#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "mail/header.h"

static void test_iterate(void **state)
{
	struct span rest = span_of("To: a\n b\nSubject : x\nnot a field\nX: y\n\n");
	struct field f;

	(void)state;
	assert_true(header_next(&rest, &f));
	assert_true(span_is(f.name, "To"));
	assert_true(span_is(f.body, " a\n b"));
	assert_true(span_is(f.raw, "To: a\n b\n"));
	assert_true(header_next(&rest, &f));
	assert_true(span_is(f.name, "Subject"));
	assert_int_equal(field_kind(f.name), FIELD_SUBJECT);
	assert_false(header_next(&rest, &f));
	rest = span_of("A: b");
	assert_true(header_next(&rest, &f));
	assert_true(span_is(f.raw, "A: b"));
	assert_false(header_next(&rest, &f));
}

static void test_is_field(void **state)
{
	size_t colon;

	(void)state;
	assert_true(header_is_field("X-A: b", 6, &colon));
	assert_int_equal(colon, 3);
	assert_false(header_is_field(": b", 3, &colon));
	assert_false(header_is_field("no colon", 8, &colon));
	assert_false(header_is_field("two words: x", 12, &colon));
	assert_false(header_is_field("\xc3\xa4: x", 5, &colon));
}

static size_t longest_line(const char *s)
{
	size_t max = 0;

	while (*s) {
		size_t n = strcspn(s, "\n");

		max = n > max ? n : max;
		s += n + (s[n] == '\n');
	}
	return max;
}

static void test_folding(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in, 1 << 22);
	buf_init(&out, 1 << 22);
	buf_adds(&in, "To: ");
	for (int i = 0; i < 1000; i++)
		buf_addf(&in, "%suser%d@example.com", i ? "," : "", i);
	buf_adds(&in, "\n");
	assert_int_equal(header_put(&out, (struct span){in.data, in.len}), 0);
	assert_true(longest_line(out.data) <= 998);
	for (const char *p = out.data; (p = strchr(p, '\n')) && p[1]; p++) {
		assert_int_equal(p[-1], ',');
		assert_int_equal(p[1], ' ');
	}
	buf_reset(&in);
	buf_reset(&out);
	buf_adds(&in, "Subject: ");
	for (int i = 0; i < 100000; i++)
		buf_adds(&in, "ä");
	buf_adds(&in, "\n");
	header_put(&out, (struct span){in.data, in.len});
	assert_true(longest_line(out.data) <= 998);
	for (const char *p = out.data; (p = strchr(p, '\n')) && p[1]; p++)
		assert_int_equal((unsigned char)p[2], 0xc3);
	buf_free(&in);
	buf_free(&out);
}

static void check_name(const char *name, const char *want)
{
	struct buf out;

	buf_init(&out, 4000);
	header_put_name(&out, name, strlen(name));
	assert_string_equal(buf_str(&out), want);
	buf_free(&out);
}

static void test_names(void **state)
{
	(void)state;
	check_name("Cron Daemon", "Cron Daemon");
	check_name("Doe, John", "\"Doe, John\"");
	check_name("John \"J\" \\ Doe", "\"John \\\"J\\\" \\\\ Doe\"");
	check_name("root (x)", "\"root (x)\"");
	check_name("J. Smith", "\"J. Smith\"");
	check_name("Jürgen, X", "=?utf-8?q?J=C3=BCrgen=2C_X?=");
	check_name("J\xfcrgen", "=?unknown-8bit?q?J=FCrgen?=");
	check_name("tab\there", "\"tab here\"");
}

static void test_encoded_words(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	header_put_encoded(&out, "äöüäöüäöüäöüäöüäöüäöüäöü", 48, 9);
	assert_true(longest_line(out.data) <= 76);
	for (const char *p = out.data; (p = strstr(p, "=C3")); p += 3)
		assert_int_equal(p[3], '=');
	buf_free(&out);
}

static void test_date(void **state)
{
	struct buf out;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	buf_init(&out, 100);
	header_put_date(&out, 1794823200000000);
	assert_string_equal(buf_str(&out), "Mon, 16 Nov 2026 10:00:00 +0000");
	buf_reset(&out);
	setenv("TZ", "XXX3:30", 1);
	tzset();
	header_put_date(&out, 1794823200000000);
	assert_string_equal(buf_str(&out), "Mon, 16 Nov 2026 06:30:00 -0330");
	buf_free(&out);
}

static void check_param(const char *body, const char *name, const char *want)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_int_equal(header_param(span_of(body), name, &out), want != NULL);
	if (want)
		assert_string_equal(buf_str(&out), want);
	buf_free(&out);
}

static void test_mime(void **state)
{
	struct buf out;

	(void)state;
	check_param(" multipart/mixed; boundary=abc", "boundary", "abc");
	check_param(" multipart/mixed;\n boundary = \"a;b\\\"c\" ; x=y", "boundary", "a;b\"c");
	check_param(" multipart/mixed; xboundary=\"boundary=no\"; Boundary=\"yes\"", "boundary", "yes");
	check_param(" text/plain", "boundary", NULL);
	check_param(" text/plain; boundary", "boundary", NULL);
	buf_init(&out, 100);
	header_media_type(span_of(" (c) Text/PLAIN (x); charset=y"), &out);
	assert_string_equal(buf_str(&out), "text/plain");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iterate), cmocka_unit_test(test_is_field), cmocka_unit_test(test_folding),
		cmocka_unit_test(test_names), cmocka_unit_test(test_encoded_words), cmocka_unit_test(test_date),
		cmocka_unit_test(test_mime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
