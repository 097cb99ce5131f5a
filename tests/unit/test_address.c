#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mail/address.h"

static int collect(void *arg, const struct address *a, struct error *err)
{
	struct buf *out = arg;

	(void)err;
	buf_addf(out, "%s|", a->spec);
	return 0;
}

/* The specs of a list, each with a '|' behind it, or "!" and nothing else for an error. */
static void check_flags(const char *text, unsigned flags, const char *want)
{
	struct error err = {0};
	struct buf out;

	buf_init(&out, 1 << 20);
	if (address_each(text, strlen(text), flags, collect, &out, &err) < 0) {
		assert_int_equal(error_exit(&err), EX_DATAERR);
		buf_reset(&out);
		buf_adds(&out, "!");
	}
	if (strcmp(buf_str(&out), want) != 0)
		print_message("for: %s\n", text);
	assert_string_equal(buf_str(&out), want);
	buf_free(&out);
}

static void check(const char *text, const char *want)
{
	check_flags(text, 0, want);
}

static void test_plain(void **state)
{
	(void)state;
	check("root", "root|");
	check("a@b.example", "a@b.example|");
	check(" a@b.example , c@d.example ", "a@b.example|c@d.example|");
	check("a@b;c@d", "a@b|c@d|");
	check("a@b\n c@d", "a@b|c@d|");
	check("", "");
	check(",,  ,", "");
	check("a+x=y!#$%&'*/?^_`{}~-@b", "a+x=y!#$%&'*/?^_`{}~-@b|");
	check("user@example.com.", "user@example.com|");
	check("a..b@docomo.example", "a..b@docomo.example|");
	check("host!user", "host!user|");
	check("user@[192.0.2.1]", "user@[192.0.2.1]|");
	check("user@[IPv6:2001:db8::1]", "user@[IPv6:2001:db8::1]|");
}

static void test_names(void **state)
{
	(void)state;
	check("John Doe <a@b>", "a@b|");
	check("\"Doe, John\" <a@b>, c@d", "a@b|c@d|");
	check("J. R. Smith <a@b>", "a@b|");
	check("foo@bar.example <a@b>", "a@b|");
	check("\"<x@y>\" <a@b>", "a@b|");
	check("=?utf-8?q?J=C3=BC?= <a@b>", "a@b|");
	check("Jürgen <jürgen@exämple.de>", "jürgen@exämple.de|");
	check("<a@b>", "a@b|");
	check("<>", "|");
	check("Name <>", "|");
	check("< a @ b . c >", "a@b.c|");
	check("mdadm monitoring <root>", "root|");
	check("a@b <c@d> <e@f>", "c@d|e@f|");
	check("<a@b> trailing words, c@d", "a@b|c@d|");
	check("[list] Name <a@b>", "a@b|");
}

/* A comma that was left out between two addresses, the first of which has angle brackets: neither is lost without a
 * word. */
static void test_behind_angles(void **state)
{
	(void)state;
	check("A <a@b> c@d", "a@b|c@d|");
	check("A <a@b>\n c@d e@f, g@h", "a@b|c@d|e@f|g@h|");
	check("A <a@b> B <c@d> (x) e@f; g@h", "a@b|c@d|e@f|g@h|");
	check("A <a@b>\n B c@d", "!");
	check("A <a@b> \"B\" c@d", "!");
	check("A <a@b> c@@d", "!");
	check_flags("A <a@b>\n B c@d, e@f", ADDRESS_SKIP_BAD, "a@b|e@f|");
	check("G: A <a@b> c@d; e@f", "a@b|c@d|e@f|");
	check("A <a@b> (c@d), e@f", "a@b|e@f|");
	check("A <a@b> me@x <c@d> trailing words", "a@b|c@d|");
	check("A <a@b>>, e@f, G <g@h>@@", "a@b|e@f|g@h|");
	check_flags("<a@b> root c@d", ADDRESS_BLANKS, "a@b|root|c@d|");
	check_flags("<a@b>> <c@d>", ADDRESS_BLANKS, "a@b|c@d|");
}

static void test_comments(void **state)
{
	(void)state;
	check("root (Cron Daemon)", "root|");
	check("(x, y) a@b (z <q@r>)", "a@b|");
	check("a(c(d)\\)e)@(x)b", "a@b|");
	check("a@b (never ends", "!");
	check("(only a comment)", "");
}

static void test_quoted(void **state)
{
	(void)state;
	check("\"john doe\"@b", "\"john doe\"@b|");
	check("\"john.doe\"@b", "john.doe@b|");
	check("\"a\\\"b\"@c", "\"a\\\"b\"@c|");
	check("\"a@b\"@c", "\"a@b\"@c|");
	check("john.\"q\".doe@b", "john.q.doe@b|");
	check("\"very long\"", "\"very long\"|");
	check("\"not closed@b", "!");
	check("\"a..b\"@c", "\"a..b\"@c|");
	check("\"-oQ/tmp\"@c", "-oQ/tmp@c|");
	check("\"a@b.example\", <\"c@d.example\">, \"x\" <\"e.f@g\">", "a@b.example|c@d.example|e.f@g|");
	check("\"a b@c\", \"@a\", \"a@\", \"a@b@c\"", "\"a b@c\"|\"@a\"|\"a@\"|\"a@b@c\"|");
	check("\"'a@b'\", \"a@b..c\" <d@e>", "\"'a@b'\"|d@e|");
	check("\"a@b..c\"", "!");
}

static void test_groups_and_routes(void **state)
{
	(void)state;
	check("undisclosed-recipients:;", "");
	check("Friends: a@b, C <c@d>; e@f", "a@b|c@d|e@f|");
	check("A Group:a@b", "a@b|");
	check("A: J <a@b>; B C: d@e;", "a@b|d@e|");
	check("A: J <a@b> (x); Undisclosed recipients:; \"M: P\" <c@d>, K <e@f>", "a@b|c@d|e@f|");
	check("<@x.example,@y.example:a@b>", "a@b|");
	check("Name <@x:a@b>, c@d", "a@b|c@d|");
}

static void test_bad(void **state)
{
	(void)state;
	check("a@", "!");
	check("@b", "!");
	check("a@b@c", "!");
	check("a@.b", "!");
	check("a@b..c", "!");
	check("a@\"b\"", "!");
	check("<a@b", "!");
	check("a>b", "!");
	check("undisclosed recipients", "!");
	check("a@b c", "!");
	check("a\\b@c", "!");
	check("a\001b@c", "!");
	check("a\177@c", "!");
	check("\"a\001\"@c", "!");
	check("latin\xe9@c", "!");
	check_flags("a@, c@d, x y, <e@f>", ADDRESS_SKIP_BAD, "c@d|e@f|");
}

/* What no server can be called: a quote of some shell's, the rest of a URL, a label that DNS can't hold. */
static void test_domains_to_send_to(void **state)
{
	static const char label[] = "a@abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.example";
	char longer[sizeof(label) + 1];

	(void)state;
	check_flags("'a@b'", ADDRESS_TO, "!");
	check_flags("`a@b`", ADDRESS_TO, "!");
	check_flags("a@b?subject=x", ADDRESS_TO, "!");
	check_flags("'a@b'", 0, "'a@b'|");
	check_flags("a'b@c_d.E-f.\xc3\xbc, g@[IPv6:::1], h", ADDRESS_TO, "a'b@c_d.E-f.\xc3\xbc|g@[IPv6:::1]|h|");
	check_flags(label, ADDRESS_TO, "a@abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.example|");
	snprintf(longer, sizeof(longer), "a@x%s", label + 2);
	check_flags(longer, ADDRESS_TO, "!");
}

static void test_blanks(void **state)
{
	(void)state;
	check_flags("root admin", ADDRESS_BLANKS, "root|admin|");
	check_flags("root  a@b,c", ADDRESS_BLANKS, "root|a@b|c|");
	check_flags("-x", ADDRESS_BLANKS, "-x|");
	check_flags("Some Body <a@b>", ADDRESS_BLANKS, "a@b|");
}

static void test_nul_and_length(void **state)
{
	struct error err;
	struct buf out;
	char big[5000];

	(void)state;
	buf_init(&out, 10000);
	assert_int_equal(address_each("a\0b@c", 5, 0, collect, &out, &err), -1);
	memset(big, 'a', sizeof(big));
	memcpy(big + sizeof(big) - 4, "@b.c", 4);
	assert_int_equal(address_each(big, sizeof(big), 0, collect, &out, &err), -1);
	assert_int_equal(address_each(big + sizeof(big) - 1024, 1024, 0, collect, &out, &err), 0);
	buf_free(&out);
}

static int positions(void *arg, const struct address *a, struct error *err)
{
	(void)err;
	buf_addf(arg, "[%.*s](%.*s){%.*s}", (int)a->text.n, a->text.p, (int)a->name.n, a->name.p, (int)a->entry.n,
		 a->entry.p);
	return 0;
}

static void test_positions(void **state)
{
	static const char text[] = " \"D, J\" <a(x)@b> , root (Cron), G: Z <@r:q@r>;";
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(address_each(text, strlen(text), 0, positions, &out, &err), 0);
	assert_string_equal(buf_str(&out),
			    "[a(x)@b](\"D, J\"){\"D, J\" <a(x)@b>}[root](){root (Cron)}[q@r](Z){Z <@r:q@r>}");
	buf_free(&out);
}

static void test_same(void **state)
{
	(void)state;
	assert_true(address_same("a@Example.COM", "a@example.com"));
	assert_false(address_same("A@example.com", "a@example.com"));
	assert_false(address_same("a", "a@b"));
	assert_true(address_same("\"x y\"@b", "\"x y\"@B"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),         cmocka_unit_test(test_names),
		cmocka_unit_test(test_behind_angles), cmocka_unit_test(test_comments),
		cmocka_unit_test(test_quoted),        cmocka_unit_test(test_groups_and_routes),
		cmocka_unit_test(test_bad),           cmocka_unit_test(test_domains_to_send_to),
		cmocka_unit_test(test_blanks),        cmocka_unit_test(test_nul_and_length),
		cmocka_unit_test(test_positions),     cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
