#include "config.h"
#include "smtp/reply.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

void reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, LIMIT_REPLY);
}

void reply_free(struct reply *r)
{
	buf_free(&r->text);
}

static int nonsense(struct reply *r, const char *why)
{
	r->wrong = why;
	return -1;
}

/* The length of an enhanced status code (RFC 3463: class "." 1-3 digits "." 1-3 digits) at p that agrees
 * with the class of the reply; 0 when there is none. */
static size_t enhanced(const char *p, size_t n, char class)
{
	size_t i = 1;

	if (!n || p[0] != class)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (i >= n || p[i++] != '.')
			return 0;
		for (; i < n && ascii_digit(p[i]); i++)
			digits++;
		if (digits < 1 || digits > 3)
			return 0;
	}
	return i == n || p[i] == ' ' ? i : 0;
}

static void take_dsn(struct reply *r, const char *p, size_t n)
{
	size_t len = n > 4 ? enhanced(p + 4, n - 4, p[0]) : 0;

	r->dsn[0] = '\0';
	if (len && len < sizeof(r->dsn))
		snprintf(r->dsn, sizeof(r->dsn), "%.*s", (int)len, p + 4);
}

/* One line without its end. 1: the last of its reply, 0: more follow, -1. */
static int take_line(struct reply *r, const char *p, size_t n)
{
	int code;

	if (memchr(p, '\0', n))
		return nonsense(r, "a reply with a NUL byte");
	if (n < 3 || !ascii_digit(p[0]) || !ascii_digit(p[1]) || !ascii_digit(p[2]))
		return nonsense(r, "a line that is no SMTP reply");
	if (n > 3 && p[3] != ' ' && p[3] != '-')
		return nonsense(r, "a line that is no SMTP reply");
	code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	if (code < 200 || code > 599)
		return nonsense(r, "a reply code outside 200-599");
	if (r->begun && code != r->code)
		return nonsense(r, "different codes in one reply");
	if (!r->begun)
		take_dsn(r, p, n);
	else
		buf_addc(&r->text, '\n');
	r->code = code;
	r->begun = true;
	if (buf_add(&r->text, p, n) < 0)
		return nonsense(r, "an endless reply");
	return n > 3 && p[3] == '-' ? 0 : 1;
}

int reply_take(struct reply *r, struct span in, size_t *used)
{
	const char *p = in.p, *end = in.p + in.n;

	*used = 0;
	if (!r->begun)
		buf_reset(&r->text);
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((lf ? lf : end) - p);
		int rc;

		if (n + !lf > LIMIT_REPLY_LINE)
			return nonsense(r, "a reply line without an end");
		if (!lf)
			return 0;
		if (n && p[n - 1] == '\r')
			n--;
		rc = take_line(r, p, n);
		p = lf + 1;
		*used = (size_t)(p - in.p);
		if (rc) {
			r->begun = false;
			return rc;
		}
	}
	return 0;
}

bool reply_line(const struct reply *r, size_t *at, struct span *words)
{
	const char *p = r->text.data, *lf;
	size_t n, left;

	if (*at > r->text.len || !r->text.len)
		return false;
	left = r->text.len - *at;
	lf = memchr(p + *at, '\n', left);
	n = lf ? (size_t)(lf - (p + *at)) : left;
	*words = n > 4 ? (struct span){p + *at + 4, n - 4} : (struct span){"", 0};
	*at += n + 1;
	return true;
}

const char *reply_quote(const struct reply *r, char *out, size_t size)
{
	struct buf flat, shown;

	buf_init(&flat, LIMIT_REPLY_TEXT * 2);
	buf_init(&shown, size);
	buf_add(&flat, buf_str(&r->text), r->text.len < flat.max ? r->text.len : flat.max);
	for (size_t i = 0; i < flat.len; i++)
		if (flat.data[i] == '\n')
			flat.data[i] = ' ';
	text_printable(&shown, buf_str(&flat), flat.len, size - 5);	/* and what says that it was cut */
	snprintf(out, size, "%s", buf_str(&shown));
	buf_free(&flat);
	buf_free(&shown);
	return out;
}

bool reply_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}
