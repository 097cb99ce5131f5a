/* test_verdict.c: what a reply means: for the message, for the pace, for the login. */
#include "config.h"
#include "reply_fixture.h"
#include "smtp/agent.h"
#include "smtp/transaction/verdict.h"

#include <string.h>

/* What speaks of our login fails no message. */
static void verdicts_on_the_login(void **state)
{
	static const char *const wires[] = {"530 5.7.0 log in\r\n", "535 5.7.8 no\r\n", "538 5.7.11 no\r\n",
					    "550 5.7.30 off\r\n"};
	struct agent a = {.set.host = "h"};
	struct delivery_verdict v;

	(void)state;
	reply_init(&a.reply);
	for (size_t i = 0; i < COUNT(wires); i++) {
		assert_int_equal(parse(&a.reply, wires[i], strlen(wires[i])), 1);
		verdict_of_reply(&a, STAGE_DATA, "DATA command", &v);
		assert_int_equal(v.fate, FATE_DEFERRED);
		assert_int_equal(reason_class(v.reason), i == 2 ? CLASS_ADMIN : CLASS_LOGIN);
		assert_int_equal(v.dsn[0], '4');
	}
	assert_int_equal(parse(&a.reply, "550 5.7.1 message refused\r\n", 27), 1);
	verdict_of_reply(&a, STAGE_DATA, "DATA command", &v);
	assert_int_equal(v.fate, FATE_FAILED);
	assert_string_equal(v.dsn, "5.7.1");
	reply_free(&a.reply);
}

static void slow_down(void **state)
{
	static const struct {
		const char *wire;
		enum reply_stage stage;
		bool want;
		uint32_t seconds;
	} cases[] = {
		{"421 4.7.0 try again in 5 minutes\r\n", STAGE_GREETING, true, 300},
		{"421 bye\r\n", STAGE_RCPT, true, 0},
		{"432 4.3.2 Concurrent connections limit exceeded\r\n", STAGE_DATA, true, 0},
		{"451 4.7.1 please try again later\r\n", STAGE_DATA, true, 0},
		{"451 4.7.1 please try again later\r\n", STAGE_RCPT, false, 0},
		{"450 4.7.1 Greylisted, retry in 60 seconds\r\n", STAGE_DATA, false, 60},
		{"450 4.2.1 The user is receiving mail too fast, sending rate\r\n", STAGE_RCPT, false, 0},
		{"454 Throttling failure: Maximum sending rate exceeded.\r\n", STAGE_DATA, true, 0},
		{"452 4.2.2 mailbox full\r\n", STAGE_RCPT, false, 0},
		{"452 4.5.3 too many recipients\r\n", STAGE_RCPT, false, 0},
		{"452 4.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", STAGE_RCPT, false, 0},
		{"452 4.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", STAGE_DATA, false, 0},
		{"452 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", STAGE_RCPT, false, 0},
		{"450 Requested mail action not taken: mailbox unavailable Mail send limit exceeded.\r\n",
		 STAGE_DATA, true, 0},
		{"451 4.3.0 500 messages per hour are enough\r\n", STAGE_DATA, true, 0},
		{"450 4.7.1 Error: too many recipients from 192.0.2.1\r\n", STAGE_RCPT, true,
		 0},	/* Postfix's rates */
		{"450 Error: too much mail from 192.0.2.1\r\n", STAGE_DATA, true, 0},
		{"450 4.7.1 <a@example.com>: Sender address rejected: Access denied\r\n", STAGE_DATA, false, 0},
		{"450 4.7.1 <a@example.com>: Sender address rejected: Hourly limit\r\n", STAGE_DATA, true, 0},
		{"550 5.1.1 <throttle@example.com>: Recipient address rejected: User unknown\r\n", STAGE_RCPT, false,
		 0},
		{"550 rate-limit@example.com... User unknown\r\n", STAGE_DATA, false, 0},
		{"451 4.1.1 <\"too fast in 9 hours\"@example.com>: not now\r\n", STAGE_RCPT, false, 0},
		{"451 4.1.1 less < than enough: too fast, wait 2 min <a@b\r\n", STAGE_RCPT, false, 120},
		{"550 5.7.1 no such user\r\n", STAGE_DATA, false, 0},
		{"550-5.4.5 Daily user sending limit exceeded. For more\r\n550 5.4.5 information on limits\r\n",
		 STAGE_DATA, true, 0},
		{"550 5.7.1 Daily SMTP relay limit exceeded for customer.\r\n", STAGE_DATA, true, 0},
		{"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException\r\n", STAGE_DATA, true, 0},
		{"550 Domain example.com has exceeded the max emails per hour (250/200 (125%)) allowed.\r\n",
		 STAGE_RCPT, true, 0},
		{"552 5.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", STAGE_RCPT, false, 0},
		{"552 5.2.2 Quota exceeded (mailbox for user is full)\r\n", STAGE_DATA, false, 0},
		{"552 5.3.4 message size limit exceeded\r\n", STAGE_DATA, false, 0},
		{"550 5.2.1 The user is receiving mail too fast, sending rate\r\n", STAGE_RCPT, false, 0},
		/* The account, with all its mail; and then a recipient's account, a spoilt sender, what a message
		 * holds. */
		{"554 5.7.1 Your account is suspended\r\n", STAGE_DATA, true, 0},
		{"552 Your account has been suspended. Please contact us to reactivate\r\n", STAGE_DATA, true, 0},
		{"550 5.7.1 Sender quota exceeded\r\n", STAGE_DATA, true, 0},
		{"550 Outgoing mail from \"me@example.com\" has been suspended.\r\n", STAGE_RCPT, true, 0},
		{"550 Domain example.com has exceeded the max defers and failures per hour (5/5 (100%)) "
		 "allowed.\r\n", STAGE_RCPT,
		 true, 0},
		{"554 Sending paused for this account.\r\n", STAGE_DATA, true, 0},
		{"554 5.1.8 Email Outgoing Blocked\r\n", STAGE_DATA, true, 0},
		{"550 5.1.8 Access denied, bad outbound sender\r\n", STAGE_DATA, true, 0},
		{"550 5.7.1 <b@example.com>: the account is disabled\r\n", STAGE_RCPT, false, 0},
		{"550 5.2.1 The recipient's account is disabled\r\n", STAGE_DATA, false, 0},
		{"550 5.1.1 that account has been suspended\r\n", STAGE_DATA, false, 0},
		{"553 5.7.1 sender is not owned by your account, is blocked\r\n", STAGE_DATA, false, 0},
		{"554 5.7.1 Message blocked as spam; contact your account manager\r\n", STAGE_DATA, false, 0},
		{"535 5.7.8 your account is suspended\r\n", STAGE_LOGIN, false, 0},
		{"450 4.3.2 retry after 2 hours\r\n", STAGE_DATA, false, 7200},
		{"421 wait 99999999 hours\r\n", STAGE_GREETING, true, 86400},
	};
	struct reply r;
	enum reason why;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse(&r, cases[i].wire, strlen(cases[i].wire)), 1);
		why = reply_reason(&r, cases[i].stage, true);
		if ((reason_class(why) == CLASS_SLOW || why == REASON_ACCOUNT_SUSPENDED) != cases[i].want)
			fail_msg("%s: %s", cases[i].wire, reason_name(why));
		assert_int_equal(reply_seconds(&r), cases[i].seconds);
	}
	reply_free(&r);
}

static void login_refusals_in_words(void **state)
{
	static const struct {
		const char *wire;
		enum reason want;
	} cases[] = {
		{"534 5.7.9 Application-specific password required\r\n", REASON_LOGIN_APP_PASSWORD},
		{"535 5.7.139 Authentication unsuccessful, basic authentication is disabled\r\n", REASON_LOGIN_OAUTH2},
		{"550 5.7.30 Basic authentication is not supported for Client Submission\r\n", REASON_LOGIN_OAUTH2},
		{"535 5.7.8 account locked\r\n", REASON_LOGIN_DISABLED},
		{"535 5.7.8 Username and Password not accepted\r\n", REASON_LOGIN_FAILED},
		{"454 4.7.0 later\r\n", REASON_AUTH_UNAVAILABLE},
	};
	struct reply r;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse(&r, cases[i].wire, strlen(cases[i].wire)), 1);
		assert_int_equal(reply_reason(&r, STAGE_LOGIN, false), cases[i].want);
	}
	reply_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_on_the_login),
		cmocka_unit_test(slow_down),
		cmocka_unit_test(login_refusals_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
