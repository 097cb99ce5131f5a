/* conf/edit.c: main.cf edited as a person would. */
#include "config.h"
#include "conf_fixture.h"

static void editing(void **state)
{
	static const struct {
		const char *text, *name, *value, *result;
	} cases[] = {
		{"", "a", "1", "a = 1\n"},
		{"b = 2", "a", "1", "b = 2\na = 1\n"},
		{"a=0\nb = 2\n", "a", "1", "a = 1\nb = 2\n"},
		{"# x\n#a = 0\n\nb = 2\n", "a", "1", "# x\n#a = 0\na = 1\n\nb = 2\n"},
		{"a = 0,\n  # in\n\tmore\nb = 2\n", "a", "1", "a = 1\n  # in\nb = 2\n"},
		{"a = 0\nb = 2\na = 3\n", "a", "1", "b = 2\na = 1\n"},
		{"ab = 0\n", "a", "1", "ab = 0\na = 1\n"},
		{"a = 0\n", "a", "", "a =\n"},
		{"a = 0\n c\nb = 2\n", "a", NULL, "b = 2\n"},
		{"b = 2\n", "a", NULL, "b = 2\n"},
		{"x = 1\n a = 2\n", "a", "1", "x = 1\n a = 2\na = 1\n"},
		{"a = 1\n", "a", "1", "a = 1\n"},
		{"#a = 0", "a", "1", "#a = 0\na = 1\n"},
		{"#a = 0\n b = 2\n", "a", "1", "#a = 0\n b = 2\na = 1\n"},
		{"b = 2,\n#a = 0\n  3\n", "a", "1", "b = 2,\n#a = 0\n  3\na = 1\n"},
	};
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		assert_int_equal(conf_edit(span_of(cases[i].text), cases[i].name, cases[i].value, &out, &err),
				 strcmp(cases[i].text, cases[i].result) != 0);
		assert_string_equal(buf_str(&out), cases[i].result);
	}
	assert_int_equal(conf_edit(span_of(""), "a", "x\ny = z", &out, &err), -1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(editing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
