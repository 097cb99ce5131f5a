/* test_mechanism.c: which SASL mechanism is chosen, and why none. */
#include "config.h"
#include "unit.h"
#include "smtp/login/mechanism.h"

static void mechanisms(void **state)
{
	static const struct {
		struct mechanism_question q;
		const char *want;	/* NULL: none */
	} cases[] = {
		{{"PLAIN LOGIN", "", "", "", 'P', false, true, false}, "PLAIN"},
		{{"LOGIN", "", "", "", 'P', false, true, false}, "LOGIN"},
		{{"PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "", "", "", 'P', false, true, false}, "SCRAM-SHA-256"},
		{{"SCRAM-SHA-256-PLUS SCRAM-SHA-256", "", "", "", 'P', false, true, false}, "SCRAM-SHA-256-PLUS"},
		{{"SCRAM-SHA-256-PLUS SCRAM-SHA-256", "", "", "", 'P', false, false, false}, "SCRAM-SHA-256"},
		{{"PLAIN CRAM-MD5", "", "noanonymous, noplaintext", "", 'P', false, true, false}, "CRAM-MD5"},
		{{"PLAIN", "", "noplaintext", "", 'P', false, true, false}, NULL},
		{{"PLAIN SCRAM-SHA-1", "", "mutual_auth", "", 'P', false, true, false}, "SCRAM-SHA-1"},
		{{"PLAIN SCRAM-SHA-1", "", "nodictionary", "", 'P', false, true, false}, NULL},
		{{"PLAIN LOGIN", "!plain, login", "", "", 'P', false, true, false}, "LOGIN"},
		{{"PLAIN LOGIN", "cram-md5", "", "", 'P', false, true, false}, NULL},
		/* postconf(5) */
		{{"PLAIN LOGIN GSSAPI", "!gssapi, !plain, static:rest", "", "", 'P', false, true, false}, "LOGIN"},
		{{"PLAIN", "!static:rest", "", "", 'P', false, true, false}, NULL},
		{{"PLAIN LOGIN", "", "", "PLAIN ", 'P', false, true, false}, "LOGIN"},
		{{"PLAIN XOAUTH2", "", "", "", 'T', false, true, false}, "XOAUTH2"},
		{{"PLAIN XOAUTH2 OAUTHBEARER", "", "", "", 'T', false, true, false}, "OAUTHBEARER"},
		{{"PLAIN LOGIN", "", "", "", 'T', false, true, false}, NULL},
		{{"XOAUTH2", "", "", "", 'P', false, true, false}, NULL},
		{{"EXTERNAL PLAIN", "", "", "", 'P', true, true, false}, "EXTERNAL"},
		{{"EXTERNAL PLAIN", "", "", "", 'P', false, true, false}, "PLAIN"},
		{{"SCRAM-SHA-256-PLUS SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN", "", "", "", 'P', false, true, true}, "PLAIN"},
		{{"SCRAM-SHA-1 PLAIN", "", "noplaintext", "", 'P', false, true, true}, NULL},
		{{"PLAINX XPLAIN GSSAPI NTLM", "", "", "", 'P', false, true, false}, NULL},
	};
	char why[600];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct mechanism *m = mechanism_choose(&cases[i].q, why, sizeof(why));

		if (!cases[i].want)
			assert_null(m);
		else
			assert_string_equal(m ? m->name : "none", cases[i].want);
	}
}

static void no_mechanism_says_why(void **state)
{
	const struct mechanism_question q = {
		"GSSAPI PLAIN LOGIN XOAUTH2", "!login, plain, xoauth2", "noplaintext", "", 'P', false, true, false};
	char why[600];

	(void)state;
	assert_null(mechanism_choose(&q, why, sizeof(why)));
	assert_string_equal(why, "GSSAPI (not known here), PLAIN (noplaintext), LOGIN (smtp_sasl_mechanism_filter), "
				 "XOAUTH2 (noplaintext)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mechanisms),
		cmocka_unit_test(no_mechanism_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
