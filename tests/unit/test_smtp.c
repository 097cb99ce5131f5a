/* The pure parts of the agent: replies, EHLO, mechanisms, the window, slow-down words, names of certificates,
 * envelope lines. */
#include "config.h"
#include "failing_malloc.h"
#include "smtp/agent.h"
#include "smtp/certificate.h"
#include "smtp/envelope.h"
#include "smtp/mechanism.h"
#include "smtp/sasl.h"
#include "smtp/slowdown.h"
#include "smtp/verdict.h"
#include "smtp/window.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- replies */

static int parse(struct reply *r, const char *text, size_t n)
{
	size_t used;

	return reply_take(r, (struct span){text, n}, &used);
}

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
		BAD("hello\r\n"), BAD("\r\n"), BAD("25\r\n"), BAD("2500 ok\r\n"), BAD("250_ok\r\n"), BAD("199 ok\r\n"), BAD("600 ok\r\n"),
		BAD("000 ok\r\n"), BAD("-50 ok\r\n"), BAD(" 250 ok\r\n"), BAD("250 o\0k\r\n"), BAD("250-a\r\n251 b\r\n"), BAD("250-a\r\nb\r\n"),
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

/* What speaks of our login fails no message. */
static void verdicts_on_the_login(void **state)
{
	static const char *const wires[] = {"530 5.7.0 log in\r\n", "535 5.7.8 no\r\n", "538 5.7.11 no\r\n", "550 5.7.30 off\r\n"};
	struct agent a = {.set.host = "h"};
	struct delivery_verdict v;

	(void)state;
	reply_init(&a.reply);
	for (size_t i = 0; i < COUNT(wires); i++) {
		assert_int_equal(parse(&a.reply, wires[i], strlen(wires[i])), 1);
		verdict_of_reply(&a, SLOWDOWN_MESSAGE, "DATA command", &v);
		assert_int_equal(v.fate, FATE_DEFERRED);
		assert_string_equal(v.dsn, "4.7.0");
	}
	assert_int_equal(parse(&a.reply, "550 5.7.1 no\r\n", 14), 1);
	verdict_of_reply(&a, SLOWDOWN_MESSAGE, "DATA command", &v);
	assert_int_equal(v.fate, FATE_FAILED);
	reply_free(&a.reply);
}

/* ---- EHLO */

static void ehlo_words(void **state)
{
	static const char wire[] = "250-mail.example.com at your service\r\n250-SIZE 35882577\r\n250-8bitmime\r\n"
				   "250-AUTH LOGIN plain XOAUTH2\r\n250-AUTH=LOGIN PLAIN\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n"
				   "250-CHUNKING\r\n250-LIMITS MAILMAX=5 RCPTMAX=17\r\n250-STARTTLSX\r\n250 SMTPUTF8\r\n";
	struct reply r;
	struct ehlo e;

	(void)state;
	reply_init(&r);
	assert_int_equal(parse(&r, wire, sizeof(wire) - 1), 1);
	ehlo_parse(&r, &e);
	assert_true(e.pipelining && e.chunking && e.eightbit && e.smtputf8 && e.enhanced && e.size && e.esmtp);
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

/* ---- mechanisms */

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
		{{"PLAIN LOGIN GSSAPI", "!gssapi, !plain, static:rest", "", "", 'P', false, true, false}, "LOGIN"},	/* postconf(5) */
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
	const struct mechanism_question q = {"GSSAPI PLAIN LOGIN XOAUTH2", "!login, plain, xoauth2", "noplaintext", "", 'P', false, true, false};
	char why[600];

	(void)state;
	assert_null(mechanism_choose(&q, why, sizeof(why)));
	assert_string_equal(why, "GSSAPI (not known here), PLAIN (noplaintext), LOGIN (smtp_sasl_mechanism_filter), "
				 "XOAUTH2 (noplaintext)");
}

/* ---- the window */

static void window_grows_and_shrinks(void **state)
{
	struct delivery_known k = {0};
	struct window w;

	(void)state;
	window_init(&w, 20, true, &k);
	assert_false(window_wants_proof(&w, 10));
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 2));
	assert_true(window_wants_proof(&w, 3));
	assert_false(window_open(&w, 0, 0, 100));
	w.proof = PROOF_YES;
	assert_int_equal(w.size, 4);
	for (int i = 0; i < 3; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 8);
	for (int i = 0; i < 8; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 16);
	for (int i = 0; i < 100; i++)
		window_accepted(&w);
	assert_int_equal(w.size, 20);
	assert_true(window_open(&w, 19, 1000, 1000));
	assert_false(window_open(&w, 20, 1000, 1000));
	assert_false(window_open(&w, 3, WINDOW_BYTES, 1));
	assert_true(window_open(&w, 0, 0, WINDOW_BYTES * 2));
	window_refused(&w);
	assert_int_equal(w.size, 4);
	assert_false(window_tired(&w));
	for (int i = 0; i < 3; i++)
		window_refused(&w);
	assert_true(window_tired(&w));
	window_accepted(&w);
	assert_false(window_tired(&w));
	window_halve(&w);
	assert_int_equal(w.size, 2);
	window_halve(&w);
	window_halve(&w);
	assert_int_equal(w.size, 1);
	window_refused(&w);
	assert_int_equal(w.size, 1);
	k = (struct delivery_known){.flight = FLIGHT_YES, .window = 11};
	window_init(&w, 20, true, &k);
	assert_int_equal(w.size, 11);
	window_init(&w, 8, true, &k);
	assert_int_equal(w.size, 8);
}

static void window_only_where_it_is_safe(void **state)
{
	const struct delivery_known none = {0}, yes = {.flight = FLIGHT_YES}, no = {.flight = FLIGHT_NO},
				    keeps = {.flight = FLIGHT_YES, .no_rset = true};
	struct window w;

	(void)state;
	window_init(&w, 20, false, &none);
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 100));
	window_init(&w, 1, true, &yes);
	assert_false(window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &keeps);
	window_accepted(&w);
	assert_false(window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &no);
	window_accepted(&w);
	assert_false(window_wants_proof(&w, 100) || window_open(&w, 0, 0, 1));
	window_init(&w, 20, true, &yes);
	assert_false(window_open(&w, 0, 0, 1));
	window_accepted(&w);
	assert_true(window_open(&w, 0, 0, 1));
	window_init(&w, 3, true, &yes);
	assert_int_equal(w.size, 3);
}

/* ---- words of replies */

static void slow_down(void **state)
{
	static const struct {
		const char *wire;
		enum slowdown_stage stage;
		bool want;
		uint32_t seconds;
	} cases[] = {
		{"421 4.7.0 try again in 5 minutes\r\n", SLOWDOWN_SESSION, true, 300},
		{"421 bye\r\n", SLOWDOWN_RECIPIENT, true, 0},
		{"432 4.3.2 Concurrent connections limit exceeded\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"451 4.7.1 please try again later\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"451 4.7.1 please try again later\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"450 4.7.1 Greylisted, retry in 60 seconds\r\n", SLOWDOWN_MESSAGE, false, 60},
		{"450 4.2.1 The user is receiving mail too fast, sending rate\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"454 Throttling failure: Maximum sending rate exceeded.\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"452 4.2.2 mailbox full\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"452 4.5.3 too many recipients\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"452 4.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"452 4.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"452 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"450 Requested mail action not taken: mailbox unavailable Mail send limit exceeded.\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"451 4.3.0 500 messages per hour are enough\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"450 4.7.1 Error: too many recipients from 192.0.2.1\r\n", SLOWDOWN_RECIPIENT, true, 0},	/* Postfix's rates */
		{"450 Error: too much mail from 192.0.2.1\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"450 4.7.1 <a@example.com>: Sender address rejected: Access denied\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"450 4.7.1 <a@example.com>: Sender address rejected: Hourly limit\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 5.1.1 <throttle@example.com>: Recipient address rejected: User unknown\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"550 rate-limit@example.com... User unknown\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"451 4.1.1 <\"too fast in 9 hours\"@example.com>: not now\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"451 4.1.1 less < than enough: too fast, wait 2 min <a@b\r\n", SLOWDOWN_RECIPIENT, true, 120},
		{"550 5.7.1 no such user\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"550-5.4.5 Daily user sending limit exceeded. For more\r\n550 5.4.5 information on limits\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 5.7.1 Daily SMTP relay limit exceeded for customer.\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 Domain example.com has exceeded the max emails per hour (250/200 (125%)) allowed.\r\n", SLOWDOWN_RECIPIENT, true, 0},
		{"552 5.2.2 <b@example.com> Quota exceeded (mailbox for user is full)\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"552 5.2.2 Quota exceeded (mailbox for user is full)\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"552 5.3.4 message size limit exceeded\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"550 5.2.1 The user is receiving mail too fast, sending rate\r\n", SLOWDOWN_RECIPIENT, false, 0},
		/* The account, with all its mail; and then a recipient's account, a spoilt sender, what a message holds. */
		{"554 5.7.1 Your account is suspended\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"552 Your account has been suspended. Please contact us to reactivate\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 5.7.1 Sender quota exceeded\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 Outgoing mail from \"me@example.com\" has been suspended.\r\n", SLOWDOWN_RECIPIENT, true, 0},
		{"550 Domain example.com has exceeded the max defers and failures per hour (5/5 (100%)) allowed.\r\n", SLOWDOWN_RECIPIENT,
		 true, 0},
		{"554 Sending paused for this account.\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"554 5.1.8 Email Outgoing Blocked\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 5.1.8 Access denied, bad outbound sender\r\n", SLOWDOWN_MESSAGE, true, 0},
		{"550 5.7.1 <b@example.com>: the account is disabled\r\n", SLOWDOWN_RECIPIENT, false, 0},
		{"550 5.2.1 The recipient's account is disabled\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"550 5.1.1 that account has been suspended\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"553 5.7.1 sender is not owned by your account, is blocked\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"554 5.7.1 Message blocked as spam; contact your account manager\r\n", SLOWDOWN_MESSAGE, false, 0},
		{"535 5.7.8 your account is suspended\r\n", SLOWDOWN_SESSION, false, 0},
		{"450 4.3.2 retry after 2 hours\r\n", SLOWDOWN_MESSAGE, false, 7200},
		{"421 wait 99999999 hours\r\n", SLOWDOWN_SESSION, true, 86400},
	};
	struct reply r;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse(&r, cases[i].wire, strlen(cases[i].wire)), 1);
		assert_int_equal(slowdown_asked(&r, cases[i].stage), cases[i].want);
		assert_int_equal(slowdown_seconds(&r), cases[i].seconds);
	}
	reply_free(&r);
}

static void login_refusals_in_words(void **state)
{
	static const struct {
		const char *wire, *want;
	} cases[] = {
		{"534 5.7.9 Application-specific password required\r\n", "application password"},
		{"535 5.7.139 Authentication unsuccessful, basic authentication is disabled\r\n", "basic authentication"},
		{"550 5.7.30 Basic authentication is not supported for Client Submission\r\n", "OAuth2"},
		{"535 5.7.8 account locked\r\n", "locked"},
		{"535 5.7.8 Username and Password not accepted\r\n", "password is wrong"},
	};
	struct reply r;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse(&r, cases[i].wire, strlen(cases[i].wire)), 1);
		assert_non_null(strstr(sasl_advice(&r), cases[i].want));
		assert_true(verdict_is_login(&r));
	}
	assert_int_equal(parse(&r, "454 4.7.0 later\r\n", 17), 1);
	assert_string_equal(sasl_advice(&r), "");
	reply_free(&r);
}

/* ---- names of certificates (RFC 6125) */

static void certificate_names(void **state)
{
	static const struct {
		const char *san, *host;
		bool matches, below;
	} cases[] = {
		{"mail.example.com", "mail.example.com", true, false},
		{"MAIL.example.COM", "mail.EXAMPLE.com", true, false},
		{"mail.example.com", "mail.example.com.", true, false},
		{"mail.example.com", "example.com", false, true},
		{"example.com", "mail.example.com", false, false},
		{"*.example.com", "mail.example.com", true, false},
		{"*.example.com", "a.mail.example.com", false, false},
		{"*.example.com", "example.com", false, true},
		{"*.com", "example.com", false, false},
		{"*", "com", false, false},
		{"m*.example.com", "mail.example.com", false, false},
		{"mail.*.com", "mail.example.com", false, false},
		{"*.*.com", "mail.example.com", false, false},
		{"xample.com", "example.com", false, false},
		{"badexample.com", "example.com", false, false},
		{"", "example.com", false, false},
		{"*.xn--bcher-kva.example", "mail.xn--bcher-kva.example", true, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(cert_name_matches(span_of(cases[i].san), cases[i].host), cases[i].matches);
		assert_int_equal(cert_name_below(span_of(cases[i].san), cases[i].host), cases[i].below);
	}
	assert_false(cert_name_matches((struct span){"mail.example.com\0.evil.example", 30}, "mail.example.com"));
}

static void certificate_addresses(void **state)
{
	static struct cert_names names = {.n = 2, .name = {{true, 4, "\x7f\0\0\1"}, {false, 9, "127.0.0.2"}}};

	(void)state;
	assert_true(cert_has_name(&names, "127.0.0.1", false));
	assert_false(cert_has_name(&names, "127.0.0.2", false));
	assert_false(cert_has_name(&names, "127.0.0.1", true));
	assert_false(cert_has_name(&names, "::1", false));
}

/* Authorities sign for hundreds of names: the last of them counts too. */
static void certificate_with_many_names(void **state)
{
	static struct cert_names names;
	gnutls_x509_crt_t made, crt;
	gnutls_x509_privkey_t key;
	gnutls_datum_t der = {0};
	char name[40];

	(void)state;
	assert_int_equal(gnutls_x509_crt_init(&made) | gnutls_x509_crt_init(&crt) | gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
								      i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET), 0);
	}
	assert_int_equal(gnutls_x509_crt_set_version(made, 3) | gnutls_x509_crt_set_serial(made, "\1", 1) |
			 gnutls_x509_crt_set_activation_time(made, 0) | gnutls_x509_crt_set_expiration_time(made, 2000000000) |
			 gnutls_x509_crt_set_key(made, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(made, made, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_DER, &der), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER), 0);
	cert_names(crt, &names);
	assert_true(cert_has_name(&names, "n499.example.com", false));
	assert_false(cert_has_name(&names, "n500.example.com", false));
	gnutls_free(der.data);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(made);
	gnutls_x509_crt_deinit(crt);
}

/* ---- the channel */

/* What the peer said before it closed is read, even where writing to it is what fails first. */
static void channel_last_words(void **state)
{
	static const char words[] = "552 5.3.4 too large\r\n";
	struct channel c;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	channel_init(&c);
	assert_int_equal(channel_open(&c, pair[0]), 0);
	assert_int_equal(write(pair[1], words, sizeof(words) - 1), sizeof(words) - 1);
	close(pair[1]);
	buf_adds(&c.out, "the body");
	assert_int_equal(channel_flush(&c), -1);
	assert_true(c.eof);
	assert_int_equal(c.in.len, sizeof(words) - 1);
	assert_memory_equal(c.in.data, words, sizeof(words) - 1);
	channel_close(&c);
}

/* What can't be read for want of memory is not waited for: it is there already. */
static void channel_without_memory(void **state)
{
	struct channel c;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	channel_init(&c);
	assert_int_equal(channel_open(&c, pair[0]), 0);
	assert_int_equal(write(pair[1], "220 x\r\n", 7), 7);
	c.in.failed = true;
	assert_int_equal(channel_fill(&c), -1);
	assert_true(c.eof);
	assert_string_equal(c.trouble, "no memory");
	channel_close(&c);
	close(pair[1]);
}

/* ---- envelope */

/* Without memory an address is not the relay's trouble, and not for good. */
static void envelope_without_memory(void **state)
{
	static const char *const addresses[] = {"a@example.net", "a@b\xc3\xbc" "cher.example"};
	static const struct ehlo none;

	(void)state;
	if (!CAN_FAIL)
		skip();
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct delivery_recipient r = {.address = (char *)(uintptr_t)addresses[i]};
		struct delivery_verdict v;
		bool failed = true;

		assert_int_equal(envelope_check_recipient(&r, &none, "relay", &v), 0);
		for (long n = 1; failed; n++) {
			int rc;

			fails_at = n;
			rc = envelope_check_recipient(&r, &none, "relay", &v);
			failed = fails_at == 0;
			fails_at = 0;
			if (rc < 0)
				assert_int_equal(v.fate, FATE_DEFERRED);
		}
	}
}

static struct delivery_recipient one = {1, "a@example.com", NULL, 0};

static struct message plain_message(void)
{
	struct message m = {.m = {.seq = 1, .sender = "s@example.com", .body = '7', .size = 100, .lines = 10, .recipients = &one,
				  .nrecipients = 1}};

	buf_init(&m.body, 1 << 16);
	return m;
}

static void mail_lines(void **state)
{
	struct ehlo none = {.esmtp = true}, all = {.esmtp = true, .size = true, .eightbit = true, .smtputf8 = true, .dsn = true};
	struct message m = plain_message();
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	envelope_mail(&b, &m, &none, 0);
	assert_string_equal(buf_str(&b), "MAIL FROM:<s@example.com>\r\n");
	m.m.body = '8';
	m.m.ret = 'H';
	m.m.envid = "id+1 =x";
	buf_reset(&b);
	envelope_mail(&b, &m, &all, 0);
	assert_string_equal(buf_str(&b), "MAIL FROM:<s@example.com> SIZE=110 BODY=8BITMIME RET=HDRS ENVID=id+2B1+20+3Dx\r\n");
	m.m.smtputf8 = true;
	m.m.sender = "";
	buf_reset(&b);
	envelope_mail(&b, &m, &all, 77);
	assert_string_equal(buf_str(&b), "MAIL FROM:<> SIZE=77 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1+20+3Dx\r\n");
	buf_free(&b);
}

static void rcpt_lines(void **state)
{
	static const struct {
		struct delivery_recipient r;
		const char *plain, *dsn;
	} cases[] = {
		{{1, "a@b.example", NULL, 0}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example>\r\n"},
		{{1, "a..b@c.example", NULL, 0}, "RCPT TO:<\"a..b\"@c.example>\r\n", NULL},
		{{1, "a.@b\xc3\xbc" "cher.example", NULL, 0}, "RCPT TO:<\"a.\"@xn--bcher-kva.example>\r\n", NULL},
		{{1, "\"a b\"@c.example", NULL, 0}, "RCPT TO:<\"a b\"@c.example>\r\n", NULL},
		{{1, "a@b.example", "rfc822;x+y@z", 1}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> NOTIFY=NEVER ORCPT=rfc822;x+2By@z\r\n"},
		{{1, "a@b.example", "x-y z;a", 0}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> ORCPT=x-y+20z;a\r\n"},
		{{1, "a@b.example", NULL, 2 | 8}, "RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY\r\n"},
		{{1, "a@b\xc3\xbc" "cher.example", NULL, 0}, "RCPT TO:<a@xn--bcher-kva.example>\r\n", NULL},
	};
	struct ehlo none = {.esmtp = true}, dsn = {.esmtp = true, .dsn = true};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&b);
		envelope_rcpt(&b, &cases[i].r, &none);
		assert_string_equal(buf_str(&b), cases[i].plain);
		buf_reset(&b);
		envelope_rcpt(&b, &cases[i].r, &dsn);
		if (cases[i].dsn)
			assert_string_equal(buf_str(&b), cases[i].dsn);
	}
	buf_free(&b);
}

static void what_cannot_go(void **state)
{
	struct ehlo none = {.esmtp = true}, small = {.esmtp = true, .size = true, .size_limit = 109};
	static const struct {
		const char *address, *dsn;
	} bad[] = {
		{"", "5.1.3"}, {"a@b\r\nDATA", "5.1.3"}, {"a@b> NOTIFY=NEVER", "5.1.3"}, {"<a@b", "5.1.3"}, {"a b@c", "5.1.3"},
		{"\"open@c", "5.1.3"}, {"\xc3\xa9@example.com", "5.6.7"},
		/* fullwidth > and blank, which TR46 maps to ASCII's */
		{"a@example\xef\xbc\x9e\xe3\x80\x80X.com", "5.6.7"}, {"a@example\xef\xbc\xa0good.com", "5.6.7"},
	};
	struct message m = plain_message();
	struct delivery_verdict v;

	(void)state;
	assert_int_equal(envelope_check(&m, &none, "h", &v), 0);
	assert_int_equal(envelope_check(&m, &small, "h", &v), -1);
	assert_string_equal(v.dsn, "5.3.4");
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct delivery_recipient r = {1, bad[i].address, NULL, 0};

		assert_int_equal(envelope_check_recipient(&r, &none, "h", &v), -1);
		assert_string_equal(v.dsn, bad[i].dsn);
		assert_int_equal(v.fate, FATE_FAILED);
	}
	one.address = "\"odd one\"@example.com";
	assert_int_equal(envelope_check_recipient(&one, &none, "h", &v), 0);
	one.address = "a@example.com";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelope_without_memory),
		cmocka_unit_test(replies_of_every_shape),
		cmocka_unit_test(replies_that_are_nonsense),
		cmocka_unit_test(replies_in_pieces),
		cmocka_unit_test(replies_have_bounds),
		cmocka_unit_test(reply_line_fills_its_room),
		cmocka_unit_test(verdicts_on_the_login),
		cmocka_unit_test(ehlo_words),
		cmocka_unit_test(ehlo_greeting_is_no_offer),
		cmocka_unit_test(mechanisms),
		cmocka_unit_test(no_mechanism_says_why),
		cmocka_unit_test(window_grows_and_shrinks),
		cmocka_unit_test(window_only_where_it_is_safe),
		cmocka_unit_test(slow_down),
		cmocka_unit_test(login_refusals_in_words),
		cmocka_unit_test(certificate_names),
		cmocka_unit_test(certificate_addresses),
		cmocka_unit_test(certificate_with_many_names),
		cmocka_unit_test(channel_last_words),
		cmocka_unit_test(channel_without_memory),
		cmocka_unit_test(mail_lines),
		cmocka_unit_test(rcpt_lines),
		cmocka_unit_test(what_cannot_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
