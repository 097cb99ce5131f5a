/* test_ehlo.c: what a relay offers. */
#include "config.h"
#include "reply_fixture.h"
#include "smtp/ehlo.h"

static void ehlo_words(void **state)
{
	static const char wire[] =
		"250-mail.example.com at your service\r\n250-SIZE 35882577\r\n250-8bitmime\r\n"
		"250-AUTH LOGIN plain XOAUTH2\r\n250-AUTH=LOGIN PLAIN\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n"
		"250-CHUNKING\r\n250-LIMITS MAILMAX=5 RCPTMAX=17\r\n250-STARTTLSX\r\n250 SMTPUTF8\r\n";
	struct reply r;
	struct ehlo e;

	(void)state;
	reply_init(&r);
	assert_int_equal(parse(&r, wire, sizeof(wire) - 1), 1);
	ehlo_parse(&r, &e);
	assert_true(e.pipelining && e.chunking && e.eightbit && e.smtputf8 && e.size);
	assert_false(e.starttls || e.dsn);
	assert_true(e.size_limit == 35882577);
	assert_int_equal(e.rcpt_max, 17);
	assert_string_equal(e.auth, "LOGIN PLAIN XOAUTH2 LOGIN PLAIN");
	reply_free(&r);
}

/* The first line is a greeting, whatever it says. */
static void ehlo_greeting_is_no_offer(void **state)
{
	struct reply r;
	struct ehlo e;

	(void)state;
	reply_init(&r);
	assert_int_equal(parse(&r, "250 PIPELINING\r\n", 16), 1);
	ehlo_parse(&r, &e);
	assert_false(e.pipelining);
	assert_int_equal(parse(&r, "250-h\r\n250 SIZE 99999999999999999999\r\n", 38), 1);
	ehlo_parse(&r, &e);
	assert_true(e.size && e.size_limit == 0);
	reply_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ehlo_words),
		cmocka_unit_test(ehlo_greeting_is_no_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
