#include "config.h"
#include "mail/wire.h"

#include <string.h>

enum { WIRE_LINE = 998 };

void wire_init(struct wire *w, bool dots)
{
	memset(w, 0, sizeof(*w));
	w->dots = dots;
	w->at_start = true;
	w->in_header = true;
}

static void end_line(struct wire *w, struct buf *out)
{
	buf_add(out, "\r\n", 2);
	w->at_start = true;
	w->column = 0;
}

/* Bytes of the UTF-8 sequence that c begins, so that a cut never falls inside one; 1 for all else. */
static size_t sequence(unsigned char c)
{
	return c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
}

/* A header line goes on in a line that begins with a blank; a body line is cut where it is full. */
static void fold(struct wire *w, struct buf *out)
{
	end_line(w, out);
	if (!w->in_header)
		return;
	buf_addc(out, ' ');
	w->at_start = false;
	w->column = 1;
}

static void put(struct wire *w, struct buf *out, char c)
{
	if (w->column + sequence((unsigned char)c) > WIRE_LINE)
		fold(w, out);
	if (w->at_start && w->dots && c == '.')
		buf_addc(out, '.');
	w->at_start = false;
	w->column++;
	buf_addc(out, c);
}

/* How many of the n bytes are plain, and so far from the line's end that no cut is near: they go in one piece. */
static size_t run(const struct wire *w, const char *p, size_t n)
{
	size_t room = w->column < WIRE_LINE - 4 ? WIRE_LINE - 4 - w->column : 0;
	const char *nl;

	if (w->at_start && w->dots && p[0] == '.')
		return 0;
	if (n > room)
		n = room;
	nl = memchr(p, '\n', n);
	n = nl ? (size_t)(nl - p) : n;
	return memchr(p, '\r', n) || memchr(p, '\0', n) ? 0 : n;
}

/* Canonical form has no CR and no NUL; should one come all the same, it must not reach the wire. */
int wire_add(struct wire *w, struct buf *out, const char *p, size_t n)
{
	while (n) {
		size_t plain = run(w, p, n);

		if (plain) {
			buf_add(out, p, plain);
			w->column += plain;
			w->at_start = false;
			p += plain;
			n -= plain;
			continue;
		}
		if (*p == '\n') {
			if (w->at_start && w->in_header)
				w->in_header = false;
			end_line(w, out);
		} else {
			put(w, out, *p == '\r' || *p == '\0' ? ' ' : *p);
		}
		p++;
		n--;
	}
	return buf_ok(out) ? 0 : -1;
}

int wire_end(struct wire *w, struct buf *out)
{
	if (!w->at_start)
		end_line(w, out);
	if (w->dots)
		buf_add(out, ".\r\n", 3);
	return buf_ok(out) ? 0 : -1;
}
