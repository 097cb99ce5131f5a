/* The parts of sendmail that need no process: options, input, spool, recipients, xtext. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sendmail/input.h"
#include "sendmail/options.h"
#include "sendmail/recipients.h"
#include "sendmail/xtext.h"
#include "submission/submission.h"

/* Parses a command line of blank-separated words ("''" is the empty one). */
static int parse(struct options *o, char *line)
{
	char *argv[40];
	struct error err;
	int argc = 0;

	for (char *word = strtok(line, " "); word && argc < 40; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
	return options_parse(o, argc, argv, &err) < 0 ? error_exit(&err) : 0;
}

static void test_options(void **state)
{
	char a[] = "/usr/sbin/sendmail -tifroot -FCronDaemon -oem -odb -O DeliveryMode=q -N failure,delay -R hdrs -V "
		   "id x@y -- -z";
	char b[] = "mailq -j", c[] = "newaliases", d[] = "sendmail -f '' -r second -bm -bs -odq -odb";
	char e[] = "sendmail -bp -bm -t", f[] = "sendmail -q30m", g[] = "sendmail -qIABC -bm",
	     h[] = "sendmail -d0.1 -bt";
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, a), 0);
	assert_int_equal(o.mode, MODE_SUBMIT);
	assert_true(o.extract && o.ignore_dots && o.queue_only);
	assert_string_equal(o.sender, "root");
	assert_string_equal(o.full_name, "CronDaemon");
	assert_int_equal(o.notify, DSN_FAILURE | DSN_DELAY);
	assert_int_equal(o.ret, 'H');
	assert_string_equal(o.envid, "id");
	assert_int_equal(o.nrecipients, 2);
	assert_string_equal(o.recipients[1], "-z");
	free(o.recipients);
	assert_int_equal(parse(&o, b), 0);
	assert_true(o.mode == MODE_LIST && o.json);
	free(o.recipients);
	assert_int_equal(parse(&o, c), 0);
	assert_int_equal(o.mode, MODE_ALIASES);
	free(o.recipients);
	assert_int_equal(parse(&o, d), 0);
	assert_true(o.mode == MODE_SMTP && !o.queue_only);
	assert_string_equal(o.sender, "second");
	free(o.recipients);
	assert_int_equal(parse(&o, e), 0);
	assert_int_equal(o.mode, MODE_LIST);
	free(o.recipients);
	assert_int_equal(parse(&o, f), 0);
	assert_true(o.mode == MODE_FLUSH && o.flush == 'T');
	free(o.recipients);
	assert_int_equal(parse(&o, g), 0);
	assert_true(o.mode == MODE_FLUSH && o.flush == 'I');
	assert_string_equal(o.flush_arg, "ABC");
	free(o.recipients);
	assert_int_equal(parse(&o, h), 0);
	assert_int_equal(o.mode, MODE_VERSION);
	free(o.recipients);
}

static void test_bad_options(void **state)
{
	char lines[][40] = {"sendmail -a",   "sendmail -tZ",     "sendmail -b",          "sendmail -bz",
			    "sendmail -f",   "sendmail -V a\tb", "sendmail -V \xc3\xa4", "sendmail -N never,delay",
			    "sendmail -O x", "sendmail -j",      "sendmail --long"};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(&o, lines[i]), EX_USAGE);
		free(o.recipients);
	}
	assert_int_equal(options_parse(&o, 0, NULL, NULL), 0);
	free(o.recipients);
}

/* The header and body that come of text, with every way of cutting it. */
static void check_input(const char *text, size_t n, bool dots, bool stuffed, const char *header, const char *body)
{
	for (size_t step = 1; step < 12; step++) {
		struct input in;
		struct error err;
		size_t used;

		input_init(&in, dots, stuffed);
		for (size_t i = 0; i < n && !in.ended; i += step)
			assert_int_equal(input_add(&in, text + i, n - i < step ? n - i : step, &used, &err), 0);
		assert_int_equal(input_end(&in, &err), 0);
		assert_string_equal(buf_str(&in.header), header);
		assert_int_equal(spill_size(&in.body), strlen(body));
		assert_string_equal(buf_str(&in.body.memory), body);
		input_free(&in);
	}
}

static void check(const char *text, const char *header, const char *body)
{
	check_input(text, strlen(text), false, false, header, body);
}

static void test_input(void **state)
{
	static const char nul[] = "To: x\n\na\0b\n";

	(void)state;
	check("To: x\r\n\r\na\r\n", "To: x\n", "a\n");
	check("To: x\n\nlast", "To: x\n", "last\n");
	check("To: x", "To: x\n", "");
	check("", "", "");
	check("\n\n", "", "\n");
	check("hello: you\nand me\n", "", "hello: you\nand me\n");
	check("A: b\n\nc\n", "", "A: b\n\nc\n");
	check("To: x\nA: b\n c\nbody\n", "To: x\nA: b\n c\n", "body\n");
	check("From me\nTo: x\n\n", "To: x\n", "");
	check("  To: x\n   folded\n  Cc: y\n  \n  body\n", "To: x\n folded\nCc: y\n", "  body\n");
	check("To: x\r\r\n\r\r\nb\r\r\n", "To: x \n", "b \n");
	check("To: x\n\n.\n..\n", "To: x\n", ".\n..\n");
	check("To: x\n\na\rb", "To: x\n", "a b\n");
	check_input(nul, sizeof(nul) - 1, false, false, "To: x\n", "a b\n");
	check_input("To: x\n\na\n.\nb\n", 13, true, false, "To: x\n", "a\n");
	check_input("To: x\n\na\n..\n.b\n.", 16, true, false, "To: x\n", "a\n..\n.b\n.\n");
	check_input("To: x\r\n\r\n..\r\n.b\r\n.\r\nQUIT\r\n", 27, true, true, "To: x\n", ".\nb\n");
	check_input("To: x\n\na\n.\nQUIT\n", 16, true, true, "To: x\n", "a\n");
	check_input("To: x\n\na\r\n.\r\nQUIT\n", 18, true, true, "To: x\n", "a\n");
	/* somebody's text within a message of CR LF lines */
	check_input("To: x\r\n\r\na\n.\nMAIL\r\n.\r\n", 22, true, true, "To: x\n", "a\n.\nMAIL\n");
	check_input("To: x\r\n\r\na\n.\r\nMAIL\r\n.\r\n", 23, true, true, "To: x\n", "a\n.\nMAIL\n");
	check_input("To: x\r\n\r\na\r\n.\nMAIL\r\n.\r\n", 23, true, true, "To: x\n", "a\n.\nMAIL\n");
}

static void test_input_facts(void **state)
{
	struct input in;
	struct error err;
	size_t used;

	(void)state;
	input_init(&in, false, false);
	assert_int_equal(input_add(&in, "To: x\n\n\xc3", 8, &used, &err), 0);
	assert_int_equal(input_add(&in, "\xa4\n", 2, &used, &err), 0);
	assert_int_equal(input_end(&in, &err), 0);
	assert_true(in.eight_bit && in.utf8 && !in.had_nul && !in.had_cr);
	input_free(&in);
	input_init(&in, false, false);
	assert_int_equal(input_add(&in, "x\n\n\xe4\r \0\n", 8, &used, &err), 0);
	assert_int_equal(input_end(&in, &err), 0);
	assert_true(in.eight_bit && !in.utf8 && in.had_nul && in.had_cr);
	input_free(&in);
}

static void test_spill(void **state)
{
	static char piece[5000], back[7000];
	struct error err;
	struct spill s;
	uint64_t at = 0;
	ssize_t n;

	(void)state;
	spill_init(&s, NULL);
	for (int i = 0; i < 100; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		assert_int_equal(spill_add(&s, piece, sizeof(piece), &err), 0);
	}
	assert_int_equal(spill_size(&s), 500000);
	assert_true(s.fd >= 0 && s.memory.cap <= (128 << 10));
	while ((n = spill_read(&s, at, back, sizeof(back), &err)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(back[i], 'a' + (int)((at + (uint64_t)i) / 5000 % 26));
		at += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, 500000);
	spill_free(&s);
}

static void test_recipients(void **state)
{
	static const char plain[] = "To: a@b, C <c@d>\nCc: A@b, a@B\nBcc: e@f\nResent: no\n",
			  resent[] = "To: a@b\nResent-Cc: x@y\n";
	struct recipients r;
	struct error err;
	char name[40];

	(void)state;
	recipients_init(&r);
	assert_int_equal(recipients_header(&r, span_of(plain), 0, &err), 0);
	assert_int_equal(recipients_count(&r), 3);
	assert_string_equal(recipients_get(&r, 2), "e@f");
	recipients_free(&r);
	recipients_init(&r);
	assert_int_equal(recipients_header(&r, span_of(resent), DSN_NEVER, &err), 0);
	assert_int_equal(recipients_count(&r), 1);
	assert_int_equal(r.v[0].notify, DSN_NEVER);
	assert_int_equal(recipients_argument(&r, "x@y, root admin", 0, &err), 0);
	assert_int_equal(recipients_count(&r), 3);
	assert_int_equal(recipients_argument(&r, "", 0, &err), -1);
	assert_int_equal(recipients_add(&r, "", 0, NULL, &err), -1);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "p%d@x.example", i % 10000);
		assert_int_equal(recipients_add(&r, name, 0, NULL, &err), 0);
	}
	assert_int_equal(recipients_count(&r), 10003);
	recipients_free(&r);
}

static void test_xtext(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(xtext_decode(span_of("rfc822;a+2Bb+3Dc"), &out), 0);
	assert_string_equal(buf_str(&out), "rfc822;a+b=c");
	assert_int_equal(xtext_decode(span_of("+0A"), &out), -1);
	assert_int_equal(xtext_decode(span_of("+4"), &out), -1);
	assert_int_equal(xtext_decode(span_of("+zz"), &out), -1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_bad_options), cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_facts), cmocka_unit_test(test_spill), cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
