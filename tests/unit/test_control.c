/* The language of control.h: what is written can be read, and nothing else. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/control.h"

static void round_trip(void **state)
{
	const char *const words[] = {"hold", "a b%c\n\x7f", "", "\xc3\xa9", "%"};
	char *got[CONTROL_ARGS];
	struct buf b;
	int n;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(control_put_request(&b, words, 5), 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	n = control_get_request(b.data, b.len - 1, got, CONTROL_ARGS);
	assert_int_equal(n, 5);
	for (int i = 0; i < n; i++)
		assert_string_equal(got[i], words[i]);
	control_free_words(got, n);
	buf_free(&b);
}

static void refused(void **state)
{
	static const char *const lines[] = {
		"", "OUTPOST-ASK 1", "OUTPOST-ASK 1 ", "OUTPOST-ASK 2 mailq", "outpost-ask 1 mailq",
		"OUTPOST-ASK 1 a%", "OUTPOST-ASK 1 a%4", "OUTPOST-ASK 1 a%zz", "OUTPOST-ASK 1 a%00b",
		"OUTPOST-ASK 1 a\tb", "OUTPOST-ASK 1 a b c d e",
	};
	char *got[4];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(control_get_request(lines[i], strlen(lines[i]), got, 4), -1);
}

static void answers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	control_put_text(&b, '>', "one\n\ntwo", 8);
	control_put_end(&b, 75, "still\nthere");
	assert_string_equal(buf_str(&b), ">one\n>\n>two\n=75 still there\n");
	buf_free(&b);
}

/* A long line comes in pieces, and goes on from one call to the next. */
static void long_lines(void **state)
{
	static char text[CONTROL_PIECE + 10];
	struct buf b;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	buf_init(&b, 1 << 20);
	control_put_bytes(&b, "one\n\nbegin", 10);
	control_put_bytes(&b, " end\n", 5);
	assert_string_equal(buf_str(&b), ">one\n>\n+begin\n> end\n");
	buf_reset(&b);
	control_put_bytes(&b, text, sizeof(text));
	assert_int_equal(b.len, sizeof(text) + 3);
	assert_memory_equal(b.data, "+x", 2);
	assert_memory_equal(b.data + 1 + CONTROL_PIECE, "\n>xxxxxxxxx\n", 12);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(answers),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
