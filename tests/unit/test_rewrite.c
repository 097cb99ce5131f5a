#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "failing_malloc.h"
#include "mail/rewrite.h"

/* A map in memory: "key value" pairs, NULL ends. */
static int get(void *arg, const char *key, struct buf *value, struct error *err)
{
	const char *const *v = arg;

	for (; *v; v += 2) {
		if (strcmp(v[0], key) != 0)
			continue;
		if (strcmp(v[1], "FAIL") == 0)
			return error_set(err, REASON_TEMPORARY, "the map is broken");
		buf_adds(value, v[1]);
		return 1;
	}
	return 0;
}

static int include(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err)
{
	(void)arg, (void)everybodys;
	if (strcmp(path, "/etc/list") != 0)
		return error_set(err, REASON_NO_INPUT, "cannot read %s", path);
	return buf_adds(text, "# people\none@x.example, two@x.example\n\nbob\n");
}

static struct rewrite_rules rules(void)
{
	return (struct rewrite_rules){.myorigin = "example.com", .myhostname = "host.example.com",
				      .recipient_delimiter = "+",
				      .local_domains = "host.example.com, "
						       "vm", .include = include, .masquerade_domains = "",
				      .masquerade_exceptions = "", .always_bcc = "", .from_address = "",
				      .from_address_keep = "reply-to"};
}

static int each(void *arg, const char *address)
{
	buf_addf(arg, "%s|", address);
	return 0;
}

static void recipient(const struct rewrite_rules *r, const char *in, const char *want, const char *told)
{
	struct error err = {0};
	struct buf out, note;

	buf_init(&out, 10000);
	buf_init(&note, 10000);
	if (rewrite_recipient(r, in, each, &out, &note, &err) < 0) {
		buf_reset(&out);
		buf_addf(&out, "! %d", error_exit(&err));
	}
	assert_string_equal(buf_str(&out), want);
	if (told)
		assert_non_null(strstr(buf_str(&note), told));
	else
		assert_string_equal(buf_str(&note), "");
	buf_free(&out);
	buf_free(&note);
}

/* Without memory there is no other address, and nothing is wrong with the one there is. */
static void test_no_memory(void **state)
{
	static const char *const addresses[] = {"m0@example.net", "\"a b\"@example.net", "Bob <bob@example.com>",
						"bob"};
	struct rewrite_rules r = rules();
	struct buf out, note;

	(void)state;
	if (!CAN_FAIL)
		skip();
	buf_init(&out, 10000);
	buf_init(&note, 10000);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		char want[100];
		long n = 0;

		buf_reset(&out);
		assert_int_equal(rewrite_recipient(&r, addresses[i], each, &out, &note, &(struct error){0}), 0);
		snprintf(want, sizeof(want), "%s", buf_str(&out));
		for (bool failed = true; failed;) {
			struct error err = {0};
			int rc;

			buf_reset(&out);
			fails_at = ++n;
			rc = rewrite_recipient(&r, addresses[i], each, &out, &note, &err);
			failed = fails_at == 0;
			fails_at = 0;
			if (rc < 0)
				assert_int_equal(error_exit(&err), EX_TEMPFAIL);
			else
				assert_string_equal(buf_str(&out), want);
		}
		assert_true(n > 1);
	}
	buf_free(&out);
	buf_free(&note);
}

/* All of the header, or word that it could not be made: never a line that is cut off. */
static void test_header_without_memory(void **state)
{
	static const char in[] =
		"Received: by h (outpost)\n\tid " QUEUE_ID_MARK "; x\nFrom: root (Cron)\nTo: A <b>, c\nX: y\n\n";
	struct rewrite_rules r = rules();
	struct buf want, out;
	struct error err = {0};
	long n = 0;

	(void)state;
	if (!CAN_FAIL)
		skip();
	buf_init(&want, 10000);
	buf_init(&out, 10000);
	assert_int_equal(rewrite_header(&r, "4QID", in, sizeof(in) - 1, &want, &err), 0);
	for (bool failed = true; failed;) {
		int rc;

		buf_free(&out);
		buf_init(&out, 10000);
		fails_at = ++n;
		rc = rewrite_header(&r, "4QID", in, sizeof(in) - 1, &out, &err);
		failed = fails_at == 0;
		fails_at = 0;
		if (rc < 0)
			assert_int_equal(error_exit(&err), EX_TEMPFAIL);
		else
			assert_string_equal(buf_str(&out), buf_str(&want));
	}
	assert_true(n > 3);
	buf_free(&want);
	buf_free(&out);
}

static void test_recipients(void **state)
{
	struct rewrite_rules r = rules();

	(void)state;
	recipient(&r, "root", "root@example.com|", NULL);
	recipient(&r, "a@b.example", "a@b.example|", NULL);
	recipient(&r, "root@localhost", "root@example.com|", NULL);
	recipient(&r, "root@vm", "root@example.com|", NULL);
	recipient(&r, "root@host.example.com", "root@host.example.com|", NULL);
	recipient(&r, "a b", "! 65", NULL);
	recipient(&r, "<>", "! 65", NULL);
}

static void test_aliases(void **state)
{
	static const char *const map[] = {
		"root", "admin, ops@x.example", "admin", "Ann <ann@x.example>, bob", "bob", "bob@x.example",
		"loop", "pool", "pool", "loop, z@x.example", "self", "\\self, a@x.example", "me", "me, b@x.example",
		"prog", "|/bin/vacation", "mixed", "\"|/bin/x y, z\", c@x.example, /var/mail/y",
		"list", ":include:/etc/list", "nolist", ":include:/etc/none", "bad", "a@, d@x.example",
		"twice", "d@x.example, d@X.example, d@x.example", "fails", "FAIL", NULL};
	struct rewrite_rules r = rules();

	(void)state;
	r.aliases = (struct rewrite_map){get, (void *)map};
	recipient(&r, "root", "ann@x.example|bob@x.example|ops@x.example|", NULL);
	recipient(&r, "ROOT@localhost", "ann@x.example|bob@x.example|ops@x.example|", NULL);
	recipient(&r, "bob+tag@vm", "bob@x.example|", NULL);
	recipient(&r, "bob@other.example", "bob@other.example|", NULL);
	recipient(&r, "loop", "loop@example.com|z@x.example|", "loop");
	recipient(&r, "self", "self@example.com|a@x.example|", NULL);
	recipient(&r, "me", "me@example.com|b@x.example|", NULL);
	recipient(&r, "prog", "prog@example.com|", "commands are not run");
	recipient(&r, "mixed", "c@x.example|", "files are not delivered");
	recipient(&r, "list", "one@x.example|two@x.example|bob@x.example|", NULL);
	recipient(&r, "nolist", "nolist@example.com|", "cannot read /etc/none");
	recipient(&r, "bad", "d@x.example|", "no mail address");
	recipient(&r, "twice", "d@x.example|d@X.example|", NULL);
	recipient(&r, "fails", "! 75", NULL);
}

static void test_maps(void **state)
{
	static const char *const canonical[] = {"old@example.com", "new@x.example", "user", "user@y.example",
						"@gone.example", "@here.example", NULL};
	static const char *const generic[] = {"root@host.example.com", "ops@z.example", "root@example.com",
					      "ops@z.example",
					      "@vm", "@z.example", "other", "o@z.example", NULL};
	struct rewrite_rules r = rules();

	(void)state;
	r.canonical = (struct rewrite_map){get, (void *)canonical};
	r.generic = (struct rewrite_map){get, (void *)generic};
	recipient(&r, "old", "new@x.example|", NULL);
	recipient(&r, "old+t@example.com", "new+t@x.example|", NULL);
	recipient(&r, "user", "user@y.example|", NULL);
	recipient(&r, "abc@gone.example", "abc@here.example|", NULL);
	recipient(&r, "root", "ops@z.example|", NULL);
	recipient(&r, "Root@HOST.example.com", "ops@z.example|", NULL);
	recipient(&r, "root+t", "ops@z.example|", NULL);
	recipient(&r, "x+t@vm", "x+t@z.example|", NULL);
	recipient(&r, "x@vm", "x@z.example|", NULL);
	recipient(&r, "other", "o@z.example|", NULL);
}

/* Before aliases, and not again for what led to itself; what it leads to is looked up again. */
static void test_virtual(void **state)
{
	static const char *const map[] = {"root", "Ann <ann>, ops@x.example", "ann@example.com", "ann@example.com, "
		"copy@y.example",
					  "@all.example", "catch@all.example", "@old.example", "@new.example",
					  "back@example.com", "forth",
					  "forth", "back", "broken", "FAIL", "local", "boss", "gone@z.example", "",
					  NULL};
	static const char *const names[] = {"boss", "chief@x.example", "root", "never@x.example", NULL};
	struct rewrite_rules r = rules();

	(void)state;
	r.virtual = (struct rewrite_map){get, (void *)map};
	r.aliases = (struct rewrite_map){get, (void *)names};
	recipient(&r, "root", "ann@example.com|copy@y.example|ops@x.example|", NULL);
	recipient(&r, "Root+t@VM", "ann@example.com|copy@y.example|ops@x.example|", NULL);
	recipient(&r, "root@x.example", "root@x.example|", NULL);
	recipient(&r, "any@all.example", "catch@all.example|", NULL);
	recipient(&r, "any@old.example", "any@new.example|", NULL);
	recipient(&r, "local", "chief@x.example|", NULL);
	recipient(&r, "gone@z.example", "gone@z.example|", NULL);
	recipient(&r, "back", "back@example.com|", "loop");
	recipient(&r, "broken", "! 75", NULL);
}

/* append_dot_mydomain = yes */
static void test_short_domains(void **state)
{
	struct rewrite_rules r = rules();

	(void)state;
	recipient(&r, "ann@box", "ann@box|", NULL);
	r.append_domain = "net.example";
	recipient(&r, "ann@box", "ann@box.net.example|", NULL);
	recipient(&r, "ann@box.x", "ann@box.x|", NULL);
	recipient(&r, "ann@[::1]", "ann@[::1]|", NULL);
	recipient(&r, "ann@localhost", "ann@example.com|", NULL);
	recipient(&r, "ann", "ann@example.com|", NULL);
}

static void sender(const struct rewrite_rules *r, const char *in, const char *want)
{
	struct error err = {0};
	struct buf out;

	buf_init(&out, 10000);
	assert_int_equal(rewrite_sender(r, in, &out, &err), 0);
	assert_string_equal(buf_str(&out), want);
	buf_free(&out);
}

static void test_senders(void **state)
{
	static const char *const map[] = {"www-data", "shop@x.example", NULL};
	struct rewrite_rules r = rules();

	(void)state;
	sender(&r, "", "");
	sender(&r, "root", "root@example.com");
	sender(&r, "root@localhost.localdomain", "root@example.com");
	sender(&r, "root@unqualified", "root@example.com");
	sender(&r, "a@b.example", "a@b.example");
	r.sender_canonical = (struct rewrite_map){get, (void *)map};
	sender(&r, "www-data", "shop@x.example");
	r.masquerade_domains = "!keep.example.org example.org";
	sender(&r, "a@host.example.org", "a@example.org");
	sender(&r, "a@b.keep.example.org", "a@b.keep.example.org");
	r.masquerade_exceptions = "root";
	sender(&r, "root@host.example.org", "root@host.example.org");
	r.from_address = "Ops <ops@x.example>";
	sender(&r, "root", "ops@x.example");
	sender(&r, "", "");
}

static void header(const struct rewrite_rules *r, const char *in, const char *want)
{
	struct error err = {0};
	struct buf out;

	buf_init(&out, 100000);
	assert_int_equal(rewrite_header(r, "4QID", in, strlen(in), &out, &err), 0);
	assert_string_equal(buf_str(&out), want);
	buf_free(&out);
}

static void test_header(void **state)
{
	struct rewrite_rules r = rules();

	(void)state;
	header(&r,
	       "Received: by h (outpost)\n\tid " QUEUE_ID_MARK
	       "; x\nFrom: root (Cron Daemon)\nTo: root, A <b>,\n c@d.example\n"
	       "Bcc: secret@x\nSubject: a, b\nCc: bad bad bad, me\n\n",
	       "Received: by h (outpost)\n\tid 4QID; x\nFrom: root@example.com (Cron Daemon)\n"
	       "To: root@example.com, A <b@example.com>,\n c@d.example\nSubject: a, b\nCc: bad bad bad, "
	       "me@example.com\n\n");
	header(&r, "From: root@localhost\nSender: x@vm\nReply-To: <>\nTo: a@localhost\n\n",
	       "From: root@example.com\nSender: x@example.com\nReply-To: <>\nTo: a@example.com\n\n");
	r.append_domain = "net.example";
	header(&r, "From: root@box\nTo: A <a@other>\n\n",
	       "From: root@box.net.example\nTo: A <a@other.net.example>\n\n");
	r.append_domain = NULL;
	header(&r, "From: root@h.example.org.\nTo: A <a@b.example.>, c@d.example (C.), e.f@g.example\n\n",
	       "From: root@h.example.org\nTo: A <a@b.example>, c@d.example (C.), e.f@g.example\n\n");
}

/* Mail from it answers an answer: it must have none. */
static void test_mailer_daemon(void **state)
{
	struct rewrite_rules r = rules();

	(void)state;
	assert_true(rewrite_is_mailer_daemon(&r, "MAILER-DAEMON"));
	assert_true(rewrite_is_mailer_daemon(&r, "mailer-daemon@Example.com"));
	assert_false(rewrite_is_mailer_daemon(&r, "MAILER-DAEMON@elsewhere.example"));
	assert_false(rewrite_is_mailer_daemon(&r, "MAILER-DAEMONS"));
	assert_false(rewrite_is_mailer_daemon(&r, "root@example.com"));
}

/* ..._classes: where a map has a say. */
static void test_classes(void **state)
{
	static const char *const map[] = {"ann@example.com", "a@x.example", NULL};
	static const char *const own[] = {"ann@example.com", "own@x.example", NULL};
	struct rewrite_rules r = rules();

	(void)state;
	r.canonical = (struct rewrite_map){get, (void *)map};
	r.canonical_classes = "envelope_sender, header_recipient";
	sender(&r, "ann", "a@x.example");
	recipient(&r, "ann@example.com", "ann@example.com|", "");
	header(&r, "From: ann\nTo: ann\n\n", "From: ann@example.com\nTo: a@x.example\n\n");
	r.canonical_classes = "";
	sender(&r, "ann", "ann@example.com");
	r.sender_canonical = r.recipient_canonical = (struct rewrite_map){get, (void *)own};
	r.sender_canonical_classes = "header_sender";
	r.recipient_canonical_classes = "envelope_recipient";
	sender(&r, "ann", "ann@example.com");
	recipient(&r, "ann@example.com", "own@x.example|", "");
	header(&r, "From: ann\nTo: ann\n\n", "From: own@x.example\nTo: ann@example.com\n\n");
	r = rules();
	r.masquerade_domains = "example.com";
	sender(&r, "ann@h.example.com", "ann@example.com");
	recipient(&r, "ann@h.example.com", "ann@h.example.com|", "");
	header(&r, "From: ann@h.example.com\nTo: ann@h.example.com\n\n",
	       "From: ann@example.com\nTo: ann@example.com\n\n");
}

static void test_from_address(void **state)
{
	struct rewrite_rules r = rules();

	(void)state;
	r.from_address = "ops@x.example";
	header(&r, "From: root (Cron Daemon)\nTo: root\n\n",
	       "From: Cron Daemon <ops@x.example>\nTo: root@example.com\nReply-To: root@example.com (Cron Daemon)\n\n");
	header(&r, "From: \"A, B\" <a@b.example>\nReply-To: c@d.example\n\n",
	       "From: \"A, B\" <ops@x.example>\nReply-To: c@d.example\n\n");
	header(&r, "From: Ops <ops@X.example>\n\n", "From: Ops <ops@X.example>\n\n");
	r.from_address_keep = "header";
	header(&r, "From: a@b.example\nSender: q@r.example\n\n",
	       "From: ops@x.example\nSender: ops@x.example\nX-Original-From: a@b.example\n\n");
	r.from_address_keep = "no";
	r.from_address = "Server <ops@x.example>";
	header(&r, "From: a@b.example, c@d.example\n\n", "From: Server <ops@x.example>\n\n");
}

/* The field's name is the key here; the maps that matter are patterns over the whole field. */
static int check_field(void *arg, const char *key, struct buf *value, struct error *err)
{
	char name[20];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(key, ":"), key);
	assert_int_not_equal(key[strlen(key) - 1], '\n');
	return get(arg, name, value, err);
}

static void test_header_checks(void **state)
{
	static const char *const first[] = {"From", "REPLACE From: Ops "
						    "<ops@x.example>", "X-Drop", "IGNORE", "X-Strip", "strip gone",
					    "Subject", "PREPEND X-Was: here", "X-Same", "DUNNO", "X-Odd", "REJECT "
					    	"no", "X-Bad", "REPLACE no field",
					    "X-None", "REPLACE", NULL};
	static const char *const second[] = {"From", "REPLACE From: last@x.example", "X-Was", "REPLACE X-Is: here",
					     NULL};
	static const char in[] = "From: a@b.example\nX-Drop: 1\n 2\nX-Strip: 1\nSubject: s\n t\nX-Same: 1\nX-Odd: 1\n"
				 "X-Bad: 1\nX-None: 1\n\n";
	static const char rest[] = "Subject: s\n t\nX-Same: 1\nX-Odd: 1\nX-Bad: 1\nX-None: 1\n\n";
	struct rewrite_rules r = rules();
	char want[300];

	(void)state;
	r.header_checks[0] = (struct rewrite_map){check_field, (void *)first};
	snprintf(want, sizeof(want), "From: Ops <ops@x.example>\nX-Was: here\n%s", rest);
	header(&r, in, want);
	r.header_checks[1] = (struct rewrite_map){check_field, (void *)second};
	snprintf(want, sizeof(want), "From: last@x.example\nX-Is: here\n%s", rest);
	header(&r, in, want);
	header(&r, "Received: by h id " QUEUE_ID_MARK "\nReceived: by g\n\n",
	       "Received: by h id 4QID\nReceived: by g\n\n");
}

static void test_always_bcc(void **state)
{
	struct rewrite_rules r = rules();
	struct error err;
	struct buf out, note;

	(void)state;
	buf_init(&out, 1000);
	buf_init(&note, 1000);
	assert_int_equal(rewrite_always_bcc(&r, each, &out, &note, &err), 0);
	assert_string_equal(buf_str(&out), "");
	r.always_bcc = "archive";
	assert_int_equal(rewrite_always_bcc(&r, each, &out, &note, &err), 0);
	assert_string_equal(buf_str(&out), "archive@example.com|");
	buf_free(&out);
	buf_free(&note);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_header_without_memory), cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_virtual), cmocka_unit_test(test_short_domains),
		cmocka_unit_test(test_senders), cmocka_unit_test(test_header), cmocka_unit_test(test_mailer_daemon),
		cmocka_unit_test(test_classes), cmocka_unit_test(test_from_address),
		cmocka_unit_test(test_always_bcc), cmocka_unit_test(test_header_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
