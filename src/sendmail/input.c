#include "config.h"
#include "sendmail/input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text/text.h"
#include "mail/header.h"

/* A line longer than this is looked at before its end has come: only a field's line may grow further. */
enum { LINE_LOOK = 64 << 10, PIECE = 64 << 10 };

/* What is read and thrown away after a refusal. */
enum { DRAIN_MS = 10 * 1000, DRAIN_QUIET_MS = 2000, DRAIN_BYTES = 64 << 20 };

void input_init(struct input *in, bool dots, bool stuffed)
{
	memset(in, 0, sizeof(*in));
	buf_init(&in->header, LIMIT_HEADER);
	buf_init(&in->line, LIMIT_HEADER);
	spill_init(&in->body, NULL);
	in->dots = dots || stuffed;
	in->stuffed = stuffed;
	in->first = in->at_start = in->utf8 = in->crlf = true;
}

void input_free(struct input *in)
{
	buf_free(&in->header);
	buf_free(&in->line);
	spill_free(&in->body);
}

/* ---- the body */

/* Remembers what kind of bytes the body has; letters may be cut between two calls. */
static void look(struct input *in, const char *p, size_t n)
{
	if (!in->utf8_left && !text_8bit(p, n))
		return;
	in->eight_bit = true;
	for (size_t i = 0; i < n && in->utf8; i++) {
		unsigned char c = (unsigned char)p[i];

		if (in->utf8_left)
			in->utf8 = (c & 0xc0) == 0x80 && in->utf8_left-- > 0;
		else if (c >= 0xc2 && c < 0xf5)
			in->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		else
			in->utf8 = c < 0x80;
	}
}

static int body(struct input *in, const char *p, size_t n, struct error *err)
{
	if (!n)
		return 0;
	if (in->limit && spill_size(&in->body) + n > in->limit)
		return error_set(err, REASON_TOO_LARGE, "the message is larger than message_size_limit (%llu bytes)",
				 (unsigned long long)in->limit);
	look(in, p, n);
	return spill_add(&in->body, p, n, err);
}

/* ---- the header */

/* From here on all is body. A header without a single field that mail uses was none: its first line is somebody's
 * text. */
static int begin_body(struct input *in, bool empty_line, struct error *err)
{
	in->in_body = true;
	if (in->known)
		return 0;
	if (body(in, buf_str(&in->header), in->header.len, err) < 0)
		return -1;
	if (empty_line && in->header.len && body(in, "\n", 1, err) < 0)
		return -1;
	buf_reset(&in->header);
	return 0;
}

/* Programs write here-documents with all their lines indented. Where the first line of all is an indented field that
 * mail uses, its blanks are taken off every line of the header. */
static size_t indentation(const char *p, size_t n)
{
	size_t blanks = 0, colon;
	struct span name;

	while (blanks < n && (p[blanks] == ' ' || p[blanks] == '\t'))
		blanks++;
	if (!blanks || !header_is_field(p + blanks, n - blanks, &colon))
		return 0;
	name = span_trim((struct span){p + blanks, colon});
	return field_kind(name) != FIELD_OTHER ? blanks : 0;
}

static bool all_blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\n')
			return false;
	return true;
}

static int has_no_room(const struct buf *b, const char *what, struct error *err)
{
	if (b->starved)
		return error_set(err, REASON_TEMPORARY, "out of memory");
	return error_set(err, REASON_HEADER_TOO_LARGE, "%s is longer than %u bytes", what, LIMIT_HEADER);
}

static int keep(struct input *in, const char *p, size_t n, struct error *err)
{
	if (!in->known && in->header.len + n > LIMIT_HEADER) /* a log, all of whose lines have a colon */
		return begin_body(in, false, err) < 0 ? -1 : body(in, p, n, err);
	if (buf_add(&in->header, p, n) < 0)
		return has_no_room(&in->header, "the header", err);
	return 0;
}

/* A mailbox's line: "From somebody", or with a date behind it. "From here on it is text" is none. */
static bool is_mbox_line(const char *p, size_t n)
{
	struct span rest = {p, n}, word;
	size_t words = 0;

	if (n && *p == '>')
		rest = (struct span){p + 1, n - 1};
	if (!span_word(&rest, " ", &word) || !span_is(word, "From") || rest.n == 0 || word.p[word.n] != ' ')
		return false;
	for (; span_word(&rest, " \t\n", &word); words++)
		if (words && word.n > 3 && ascii_digit(word.p[0]) && word.p[word.p[1] == ':' ? 1 : 2] == ':' &&
		    ascii_digit(word.p[word.n - 1]))
			return true;
	return words == 1;
}

/* One line of what may be the header, with its LF. */
static int header_line(struct input *in, const char *p, size_t n, struct error *err)
{
	bool first = in->first;
	size_t colon, skip = 0;

	in->first = false;
	if (first && is_mbox_line(p, n)) {
		in->first = true;
		return 0;
	}
	if (first)
		in->indent = indentation(p, n);
	while (skip < in->indent && skip < n && (p[skip] == ' ' || p[skip] == '\t'))
		skip++;
	p += skip;
	n -= skip;
	if (all_blank(p, n))
		return begin_body(in, true, err);
	if ((*p == ' ' || *p == '\t') && in->header.len)
		return keep(in, p, n, err);
	if (!header_is_field(p, n, &colon)) {
		if (begin_body(in, false, err) < 0)
			return -1;
		return body(in, p - skip, n + skip, err);
	}
	if (field_kind(span_trim((struct span){p, colon})) != FIELD_OTHER)
		in->known = true;
	return keep(in, p, n, err);
}

static int header_bytes(struct input *in, const char *p, size_t n, struct error *err)
{
	size_t colon;

	while (n && !in->in_body) {
		const char *nl = memchr(p, '\n', n);
		size_t take = nl ? (size_t)(nl - p) + 1 : n;

		if (buf_add(&in->line, p, take) < 0)
			return has_no_room(&in->line, "a header line", err);
		p += take;
		n -= take;
		if (!nl && in->line.len > LINE_LOOK && !header_is_field(in->line.data, in->line.len, &colon) &&
		    !((in->line.data[0] == ' ' || in->line.data[0] == '\t') && in->header.len)) {
			if (begin_body(in, false, err) < 0 || body(in, in->line.data, in->line.len, err) < 0)
				return -1;
			buf_reset(&in->line);
		}
		if (!nl)
			continue;
		if (header_line(in, in->line.data, in->line.len, err) < 0)
			return -1;
		buf_reset(&in->line);
	}
	return body(in, p, n, err);
}

/* Canonical bytes go to where they belong. */
static int put(struct input *in, const char *p, size_t n, struct error *err)
{
	if (!n)
		return 0;
	in->at_start = p[n - 1] == '\n';
	if (in->discard)
		return 0;
	return in->in_body ? body(in, p, n, err) : header_bytes(in, p, n, err);
}

/* ---- canonical form */

/* CRs that were held back turn out to have been no part of a line end. */
static int put_crs(struct input *in, size_t n, struct error *err)
{
	in->crs = 0;
	for (; n; n--) {
		in->had_cr = true;
		if (put(in, " ", 1, err) < 0)
			return -1;
	}
	return 0;
}

/* Where a message's lines end with CR LF, "\n.\n" is text that a program passed on as somebody gave it: were it the
 * end, what follows would be read as commands. */
static void note_line_end(struct input *in, bool crlf)
{
	in->strict = in->any_line ? in->strict : crlf;
	in->any_line = true;
	in->crlf = crlf;
}

static int put_line_end(struct input *in, struct error *err)
{
	note_line_end(in, in->crs > 0);
	if (put_crs(in, in->crs ? in->crs - 1 : 0, err) < 0)
		return -1;
	return put(in, "\n", 1, err);
}

/* How many bytes need no second look. */
static size_t plain(const struct input *in, const char *p, size_t n)
{
	const char *stop;

	if (in->crs || in->held_dot)
		return 0;
	if (in->dots) {
		if (in->at_start && *p == '.')
			return 0;
		stop = memchr(p, '\n', n);
		n = stop ? (size_t)(stop - p) + 1 : n;
	}
	stop = memchr(p, '\r', n);
	n = stop ? (size_t)(stop - p) : n;
	stop = memchr(p, '\0', n);
	return stop ? (size_t)(stop - p) : n;
}

/* The byte after a dot at the start of a line. True: the dot was the end. */
static bool after_dot(struct input *in, char c, struct error *err, int *rc)
{
	bool alone;

	if (c == '\r')
		return false;
	in->held_dot = false;
	alone = c == '\n' && in->crs <= 1;
	if (alone && !(in->stuffed && in->strict && !(in->crlf && in->crs))) {
		in->crs = 0;
		return in->ended = true;
	}
	if (!in->stuffed || alone)
		*rc = put(in, ".", 1, err);
	else
		in->at_start = false;
	return false;
}

static int one(struct input *in, char c, struct error *err)
{
	int rc = 0;

	if (in->held_dot && (after_dot(in, c, err, &rc) || rc < 0))
		return rc;
	if (c == '\r') {
		in->crs++;
		return 0;
	}
	if (c == '\n')
		return put_line_end(in, err);
	if (in->crs && put_crs(in, in->crs, err) < 0)
		return -1;
	if (c == '.' && in->dots && in->at_start) {
		in->held_dot = true;
		return 0;
	}
	if (c == '\0') {
		in->had_nul = true;
		c = ' ';
	}
	return put(in, &c, 1, err);
}

int input_add(struct input *in, const char *p, size_t n, size_t *used, struct error *err)
{
	const char *from = p, *end = p + n;

	while (p < end && !in->ended) {
		size_t run = plain(in, p, (size_t)(end - p));

		if (run) {
			if (put(in, p, run, err) < 0)
				return -1;
			p += run;
			if (p[-1] == '\n')
				note_line_end(in, false);
		} else if (one(in, *p++, err) < 0) {
			return -1;
		}
	}
	*used = (size_t)(p - from);
	return 0;
}

int input_end(struct input *in, struct error *err)
{
	int rc = 0;

	if (in->held_dot) {
		in->held_dot = false;
		rc = put(in, ".", 1, err);
	}
	if (rc == 0 && (in->crs || !in->at_start))
		rc = put_line_end(in, err);
	if (rc == 0 && !in->in_body && !in->discard)
		rc = begin_body(in, false, err);
	if (in->utf8_left)
		in->utf8 = false;
	return rc;
}

void input_drain(int fd)
{
	deadline until = deadline_in_ms(DRAIN_MS);
	char piece[4096];
	size_t left = DRAIN_BYTES;

	while (left) {
		deadline quiet = deadline_first(until, deadline_in_ms(DRAIN_QUIET_MS));
		ssize_t n = io_wait(fd, POLLIN, quiet) > 0 ? io_read(fd, piece, sizeof(piece)) : 0;

		if (n <= 0)
			return;
		left -= (size_t)n < left ? (size_t)n : left;
	}
}

static int read_pieces(struct input *in, int fd, char *piece, struct error *err)
{
	size_t used;

	while (!in->ended) {
		ssize_t got = io_read(fd, piece, PIECE);

		if (got < 0 && errno == EAGAIN && io_wait(fd, POLLIN, DEADLINE_NEVER) > 0)
			continue; /* what we share with the caller may be his non-blocking descriptor */
		if (got < 0)
			return error_sys(err, REASON_IO, "cannot read the message");
		if (got == 0)
			break;
		if (input_add(in, piece, (size_t)got, &used, err) < 0)
			return -1;
	}
	return input_end(in, err);
}

/* The piece is not on the stack: there each page of it would be touched before the first byte is read, a fifth of all
 * that a short message costs. */
int input_read(struct input *in, int fd, struct error *err)
{
	char *piece = malloc(PIECE);
	int rc;

	if (!piece)
		return error_set(err, REASON_TEMPORARY, "out of memory");
	rc = read_pieces(in, fd, piece, err);
	free(piece);
	return rc;
}
