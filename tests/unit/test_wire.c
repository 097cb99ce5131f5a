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
#include "mail/recode.h"
#include "mail/wire.h"

static void to_wire(struct buf *out, const char *p, size_t n, size_t step, bool dots)
{
	struct wire w;

	buf_reset(out);
	wire_init(&w, dots);
	for (size_t i = 0; i < n; i += step)
		assert_int_equal(wire_add(&w, out, p + i, n - i < step ? n - i : step), 0);
	assert_int_equal(wire_end(&w, out), 0);
}

static void check(const char *in, bool dots, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t step = 1; step < 20; step++) {
		to_wire(&out, in, strlen(in), step, dots);
		assert_string_equal(buf_str(&out), want);
	}
	buf_free(&out);
}

static void test_forms(void **state)
{
	(void)state;
	check("A: b\n\nx\n", true, "A: b\r\n\r\nx\r\n.\r\n");
	check("A: b\n\n.\n..x\n", true, "A: b\r\n\r\n..\r\n...x\r\n.\r\n");
	check("A: b\n\n.\n", false, "A: b\r\n\r\n.\r\n");
	check("A: b\n\nno end", true, "A: b\r\n\r\nno end\r\n.\r\n");
	check("", true, ".\r\n");
	check("", false, "");
	check("a\rb\n", true, "a b\r\n.\r\n");
}

/* No wire form may have a bare CR or LF, a line over 998, or (with dots) the end of data before its end. */
static void check_wire_rules(const struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < out->len; i++) {
		if (out->data[i] == '\n') {
			assert_true(i && out->data[i - 1] == '\r');
			column = 0;
			continue;
		}
		if (out->data[i] == '\r') {
			assert_true(i + 1 < out->len && out->data[i + 1] == '\n');
			continue;
		}
		assert_true(++column <= 999);
	}
	assert_non_null(out->data);
	assert_true(strstr(out->data, "\r\n.\r\n") == NULL ||
		    strstr(out->data, "\r\n.\r\n") == out->data + out->len - 5);
}

static void test_random(void **state)
{
	static const char letters[] = "a.\n\n.b \xc3\xa4\xe2\x82\xac\rxyz";
	struct buf out, once;
	char in[4096];

	(void)state;
	srandom(1);
	buf_init(&out, 1 << 20);
	buf_init(&once, 1 << 20);
	for (int round = 0; round < 400; round++) {
		size_t n = (size_t)random() % sizeof(in), step = 1 + (size_t)random() % 700;
		int longish = round % 2;

		for (size_t i = 0; i < n; i++)
			in[i] = longish && random() % 500 ? (char)"ab\xc3\xa4"[i % 4]
							  : letters[random() % (sizeof(letters) - 1)];
		to_wire(&once, in, n, sizeof(in), true);
		to_wire(&out, in, n, step, true);
		assert_int_equal(out.len, once.len);
		assert_memory_equal(buf_str(&out), buf_str(&once), out.len);
		check_wire_rules(&out);
	}
	buf_free(&out);
	buf_free(&once);
}

static void test_long_lines(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in, 1 << 22);
	buf_init(&out, 1 << 22);
	buf_adds(&in, "A: b\n\n");
	for (int i = 0; i < 300000; i++)
		buf_adds(&in, "€");
	buf_adds(&in, "\n");
	to_wire(&out, in.data, in.len, 4097, true);
	check_wire_rules(&out);
	assert_int_equal((unsigned char)out.data[8 + 996], '\r');
	buf_free(&in);
	buf_free(&out);
}

/* ---- recode */

static void recode(struct buf *out, const char *p, size_t n, size_t step)
{
	struct recode *r = recode_new();

	assert_non_null(r);
	buf_reset(out);
	for (size_t i = 0; i < n; i += step)
		assert_int_equal(recode_add(r, out, p + i, n - i < step ? n - i : step), 0);
	assert_int_equal(recode_end(r, out), 0);
	recode_free(r);
}

static void check_recode(const char *in, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t step = 1; step < 40; step += 3) {
		recode(&out, in, strlen(in), step);
		assert_string_equal(buf_str(&out), want);
	}
	buf_free(&out);
}

static void test_recode_leaf(void **state)
{
	(void)state;
	check_recode("Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\nhä = \n.\nx \n",
		     "Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nh=C3=A4 =3D=20\n"
		     "=2E\nx=20\n");
	check_recode("Subject: hä ö x ü\n\nbody\n",
		     "Subject: =?utf-8?q?h=C3=A4_=C3=B6?= x =?utf-8?q?=C3=BC?=\n"
		     "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nbody\n");
	check_recode("From: \"Jür, X\" <a@b>\nContent-Transfer-Encoding: quoted-printable\n\nh=C3=A4\n",
		     "From: =?utf-8?q?J=C3=BCr=2C_X?= <a@b>\nContent-Transfer-Encoding: quoted-printable\n\nh=C3=A4\n");
	check_recode("Content-Transfer-Encoding: base64\nContent-Type: image/png\n\nAAAA\n",
		     "Content-Transfer-Encoding: base64\nContent-Type: image/png\n\nAAAA\n");
	check_recode("A: b\n\n", "A: b\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n");
}

/* A fold is no part of the text; what stands between an encoded word's delimiters stays where it was. */
static void test_recode_header(void **state)
{
	(void)state;
	check_recode("Subject: hä\n ö\n x\nCTE: 7bit\n\n",
		     "Subject: =?utf-8?q?h=C3=A4_=C3=B6?=\n x\nCTE: 7bit\nMIME-Version: 1.0\n"
		     "Content-Transfer-Encoding: quoted-printable\n\n");
	check_recode("From: a@b (Jür Ö)\n\n", "From: a@b (=?utf-8?q?J=C3=BCr_=C3=96?=)\nMIME-Version: 1.0\n"
					      "Content-Transfer-Encoding: quoted-printable\n\n");
	check_recode("Content-Type: image/png; name=\"ü.png\"; x=y\nContent-Transfer-Encoding: base64\n"
		     "Content-Disposition: attachment; filename=\"a ü.png\"\n\n",
		     "Content-Type: image/png; name=\"=?utf-8?q?=C3=BC=2Epng?=\"; x=y\nContent-Transfer-Encoding: "
		     "base64\n"
		     "Content-Disposition: attachment; filename=\"a =?utf-8?q?=C3=BC=2Epng?=\"\n\n");
	check_recode("Content-Type: multipart/mixed; boundary=b;name=ü\n\n--b\n\nä\n--b--\n",
		     "Content-Type: multipart/mixed; boundary=b;name==?utf-8?q?=C3=BC?=\n\n--b\n"
		     "Content-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b--\n");
}

/* No boundary that could be looked for: the text survives all the same. */
static void test_recode_without_boundary(void **state)
{
	struct buf in, out;

	(void)state;
	check_recode("Content-Type: multipart/mixed\n\nä\n",
		     "Content-Type: multipart/mixed\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n"
		     "\n=C3=A4\n");
	buf_init(&in, 4096);
	buf_init(&out, 4096);
	buf_adds(&in, "Content-Type: multipart/mixed; boundary=");
	for (int i = 0; i < 300; i++)
		buf_adds(&in, "x");
	buf_adds(&in, "\n\n--");
	for (int i = 0; i < 300; i++)
		buf_adds(&in, "x");
	buf_adds(&in, "\n\nä\n");
	recode(&out, in.data, in.len, 7);
	assert_non_null(strstr(buf_str(&out), "\nContent-Transfer-Encoding: quoted-printable\n\n--xxx"));
	assert_non_null(strstr(buf_str(&out), "\n\n=C3=A4\n"));
	buf_free(&in);
	buf_free(&out);
}

static void test_recode_parts(void **state)
{
	(void)state;
	check_recode("Content-Type: multipart/mixed; boundary=\"b1\"\nContent-Transfer-Encoding: 8bit\n\npre ä\n"
		     "--b1\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nä\n"
		     "--b1\nContent-Type: multipart/alternative; boundary=b2\n\n"
		     "--b2\n\nnoheader ü\n--b2--\n"
		     "--b1\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: in\n\nö\n"
		     "--b1--\nepilogue\n",
		     "Content-Type: multipart/mixed; boundary=\"b1\"\nContent-Transfer-Encoding: 7bit\n\npre ??\n"
		     "--b1\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n"
		     "--b1\nContent-Type: multipart/alternative; boundary=b2\n\n"
		     "--b2\nContent-Transfer-Encoding: quoted-printable\n\nnoheader =C3=BC\n--b2--\n"
		     "--b1\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: in\n"
		     "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=B6\n"
		     "--b1--\nepilogue\n");
}

static void check_broken(const char *in)
{
	struct recode *r = recode_new();
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_non_null(r);
	assert_int_equal(recode_add(r, &out, in, strlen(in)), 0);
	assert_int_equal(recode_end(r, &out), 0);
	assert_true(recode_broken(r));
	recode_free(r);
	buf_free(&out);
}

#define SIGNED(text)                                                                                                   \
	"Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: multipart/mixed; boundary=i\n\n"             \
	"--i\nContent-Transfer-Encoding: 8bit\n\n" text                                                                \
	"= \n--i--\n--s\nContent-Type: application/pgp-signature\n\nsig\n--s--\n"
#define MIXED(part) "Content-Type: multipart/mixed; boundary=b\n\n--b\n" part "--b\n\nä\n--b--\n"
#define MIXED_DONE(part) "Content-Type: multipart/mixed; boundary=b\n\n--b\n" part \
	"--b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b--\n"
#define IN_MESSAGE(text) "Content-Type: message/rfc822\n\nSubject: in\nMIME-Version: 1.0\n" text

/* RFC 1847 2.1: not a byte of what is signed may change, wherever it is. */
static void test_recode_signed(void **state)
{
	(void)state;
	check_recode(MIXED(SIGNED("plain ")), MIXED_DONE(SIGNED("plain ")));
	check_recode(MIXED(IN_MESSAGE(SIGNED("plain "))), MIXED_DONE(IN_MESSAGE(SIGNED("plain "))));
	check_recode(MIXED(IN_MESSAGE(MIXED(SIGNED("plain ")))), MIXED_DONE(IN_MESSAGE(MIXED_DONE(SIGNED("plain ")))));
	check_broken(MIXED(SIGNED("ä")));
	check_broken(MIXED(IN_MESSAGE(SIGNED("ä"))));
	check_broken(MIXED(IN_MESSAGE(MIXED(SIGNED("ä")))));
}

/* RFC 2045 6.4: composite types have no encoding but the identity; those that we can't look into stay as they are. */
static void test_recode_composite(void **state)
{
	static const char *const kept[] = {
		"Content-Type: message/partial; id=x; number=1; total=2\n\nSubject: in\n\nplain = \n",
		"Content-Type: message/external-body; access-type=x\n\nContent-Type: text/plain\n\nplain = \n",
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed\n",
		"Content-Type: multipart/signed\n\n--x\n\nplain = \n",
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQUFB=\n",
		"Content-Type: multipart/mixed; boundary=y\nContent-Transfer-Encoding: base64\n\nQUFB=\n",
		"Content-Transfer-Encoding: x-uuencode\n\nbegin = \n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		char in[600], want[600];

		snprintf(in, sizeof(in), MIXED("%s"), kept[i]);
		snprintf(want, sizeof(want), MIXED_DONE("%s"), kept[i]);
		check_recode(in, want);
		snprintf(in, sizeof(in), MIXED("%s\xe4\n"), kept[i]);
		check_broken(in);
	}
}

/* RFC 2046 5.1.5: parts of a digest are messages. RFC 6532 3.7: message/global may be encoded. */
static void test_recode_messages(void **state)
{
	(void)state;
	check_recode("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: ä\n\nö\n--d\nContent-Type: "
		     "text/plain\n\nü\n--d--\n",
		     "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: =?utf-8?q?=C3=A4?=\n"
		     "MIME-Version: 1.0\n"
		     "Content-Transfer-Encoding: quoted-printable\n\n=C3=B6\n--d\nContent-Type: text/plain\n"
		     "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--d--\n");
	check_recode(MIXED("Content-Type: message/global\n\nTo: ü@example.de\n\nö\n"),
		     MIXED_DONE("Content-Type: message/global\nContent-Transfer-Encoding: quoted-printable\n\n"
				"To: =C3=BC@example.de\n\n=C3=B6\n"));
	/* a part that is only a header */
	check_recode(MIXED("Content-Type: text/plain\nX-A: ä\n"),
		     MIXED_DONE("Content-Type: text/plain\nX-A: =?utf-8?q?=C3=A4?=\nContent-Transfer-Encoding: "
				"quoted-printable\n"));
}

static void test_recode_long(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 22);
	buf_adds(&in, "A: b\n\n");
	for (int i = 0; i < 20000; i++)
		buf_adds(&in, "x ä");
	recode(&out, in.data, in.len, 1000);
	for (const char *p = out.data; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 76);
	for (size_t i = 0; i < out.len; i++)
		assert_true((unsigned char)out.data[i] < 128);
	buf_free(&in);
	buf_free(&out);
}

static void test_forbidden(void **state)
{
	static const char a[] = "Content-Type: multipart/SIGNED; boundary=x\n\n",
			  b[] = "Content-Type: multipart/mixed\n\n";

	(void)state;
	assert_true(recode_forbidden(a, strlen(a)));
	assert_false(recode_forbidden(b, strlen(b)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_random), cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_recode_leaf), cmocka_unit_test(test_recode_parts),
		cmocka_unit_test(test_recode_header), cmocka_unit_test(test_recode_without_boundary),
		cmocka_unit_test(test_recode_signed), cmocka_unit_test(test_recode_composite),
		cmocka_unit_test(test_recode_messages),
		cmocka_unit_test(test_recode_long), cmocka_unit_test(test_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
