/* test_reply.c: replies of every shape, in pieces, and beyond their bounds. */
#include "config.h"
#include "reply_fixture.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

static void replies_of_every_shape(void **state)
{
	static const struct {
		const char *wire;
		int code;
		const char *dsn, *text;
	} good[] = {
		{"250 ok\r\n", 250, "", "250 ok"},
		{"250\r\n", 250, "", "250"},
		{"250 \r\n", 250, "", "250 "},
		{"250 ok\n", 250, "", "250 ok"},
		{"250-a\r\n250 b\r\n", 250, "", "250-a\n250 b"},
		{"250-\r\n250\r\n", 250, "", "250-\n250"},
		{"550 5.1.1 no such user\r\n", 550, "5.1.1", "550 5.1.1 no such user"},
		{"550 4.1.1 class does not agree\r\n", 550, "", "550 4.1.1 class does not agree"},
		{"421 4.7.0\r\n", 421, "4.7.0", "421 4.7.0"},
		{"250 2.0 short\r\n", 250, "", "250 2.0 short"},
		{"250 2.1234.5 long\r\n", 250, "", "250 2.1234.5 long"},
		{"250 2.1.5x glued\r\n", 250, "", "250 2.1.5x glued"},
		{"599 \xc3\xa9\r\n", 599, "", "599 \xc3\xa9"},
	};
	struct reply r;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(parse(&r, good[i].wire, strlen(good[i].wire)), 1);
		assert_int_equal(r.code, good[i].code);
		assert_string_equal(r.dsn, good[i].dsn);
		assert_string_equal(buf_str(&r.text), good[i].text);
	}
	reply_free(&r);
}

static void replies_that_are_nonsense(void **state)
{
	static const struct {
		const char *wire;
		size_t n;
	} bad[] = {
#define BAD(s) {s, sizeof(s) - 1}
		BAD("hello\r\n"),      BAD("\r\n"),        BAD("25\r\n"),       BAD("2500 ok\r\n"),
		BAD("250_ok\r\n"),     BAD("199 ok\r\n"),  BAD("600 ok\r\n"),   BAD("000 ok\r\n"),
		BAD("-50 ok\r\n"),     BAD(" 250 ok\r\n"), BAD("250 o\0k\r\n"), BAD("250-a\r\n251 b\r\n"),
		BAD("250-a\r\nb\r\n"),
	};
	struct reply r;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		reply_init(&r);
		assert_int_equal(parse(&r, bad[i].wire, bad[i].n), -1);
		assert_non_null(r.wrong);
		reply_free(&r);
	}
}

/* Any cut of the stream gives the same replies. */
static void replies_in_pieces(void **state)
{
	static const char wire[] = "250-first 1\r\n250 last\r\n354 go\n550 5.7.1 no\r\n";
	struct reply r;

	(void)state;
	for (size_t piece = 1; piece < sizeof(wire); piece++) {
		size_t have = 0, taken = 0;
		int codes[8], n = 0;

		reply_init(&r);
		while (taken < sizeof(wire) - 1) {
			size_t used;
			int rc = reply_take(&r, (struct span){wire + taken, have - taken}, &used);

			taken += used;
			if (rc == 1)
				codes[n++] = r.code;
			else if (have < sizeof(wire) - 1)
				have = have + piece < sizeof(wire) - 1 ? have + piece : sizeof(wire) - 1;
			assert_true(rc >= 0 && n < 8);
		}
		assert_int_equal(n, 3);
		assert_int_equal(codes[0], 250);
		assert_int_equal(codes[1], 354);
		assert_int_equal(codes[2], 550);
		reply_free(&r);
	}
}

static void replies_have_bounds(void **state)
{
	char *long_line = malloc(LIMIT_REPLY_LINE + 100);
	struct buf many;
	struct reply r;

	(void)state;
	assert_non_null(long_line);
	memset(long_line, 'x', LIMIT_REPLY_LINE + 100);
	memcpy(long_line, "250 ", 4);
	reply_init(&r);
	assert_int_equal(parse(&r, long_line, 1000), 0);
	assert_int_equal(parse(&r, long_line, LIMIT_REPLY_LINE + 100), -1);
	reply_free(&r);
	buf_init(&many, 8 << 20);
	for (int i = 0; i < 10000; i++)
		buf_adds(&many, "250-x\r\n");
	buf_adds(&many, "250 end\r\n");
	reply_init(&r);
	assert_int_equal(parse(&r, many.data, many.len), 1);
	buf_reset(&many);
	for (int i = 0; i < 100000; i++)
		buf_adds(&many, "250-xxxxxxxxxx\r\n");
	assert_int_equal(parse(&r, many.data, many.len), -1);
	reply_free(&r);
	buf_free(&many);
	free(long_line);
}

/* A line that fills all the room there is for it never ends: nobody waits for more. */
static void reply_line_fills_its_room(void **state)
{
	char *line = malloc(LIMIT_REPLY_LINE);
	struct reply r;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', LIMIT_REPLY_LINE);
	memcpy(line, "220 ", 4);
	reply_init(&r);
	assert_int_equal(parse(&r, line, LIMIT_REPLY_LINE - 1), 0);
	assert_int_equal(parse(&r, line, LIMIT_REPLY_LINE), -1);
	reply_free(&r);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_of_every_shape),
		cmocka_unit_test(replies_that_are_nonsense),
		cmocka_unit_test(replies_in_pieces),
		cmocka_unit_test(replies_have_bounds),
		cmocka_unit_test(reply_line_fills_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
