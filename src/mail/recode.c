#include "config.h"
#include "mail/recode.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"

#include <stdlib.h>
#include <string.h>

/*
 * The plan. The message is a tree of parts; only the path from the root to the part at hand is kept: a stack of the
 * boundaries that may end it. A part's header is held back until its empty line, then written with the encoding its body
 * will have. Bodies are streamed line by line (long lines piece by piece): each line is first held against the boundaries.
 */
enum { DEPTH = 20, BOUNDARY = 256, PIECE = 4096, QP_LINE = 75 };

enum mode {
	MODE_HEADER,
	MODE_QP,	/* identity becomes quoted-printable */
	MODE_PASS,	/* 7-bit already, as it says; a stray 8-bit byte becomes '?' */
	MODE_PASS_QP,	/* quoted-printable already; a stray 8-bit byte becomes =XX */
};

struct recode {
	enum mode mode;
	struct buf header;
	struct buf line;	/* the line (or piece of one) that is being gathered */
	bool middle;		/* line is not the first piece of its line */
	char stack[DEPTH][BOUNDARY];
	int depth;
	/* quoted-printable */
	size_t column;
	char held;		/* a blank whose successor is not known yet */
};

struct recode *recode_new(void)
{
	struct recode *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	buf_init(&r->header, LIMIT_HEADER * 2);
	buf_init(&r->line, PIECE + 1);
	return r;
}

void recode_free(struct recode *r)
{
	if (!r)
		return;
	buf_free(&r->header);
	buf_free(&r->line);
	free(r);
}

static bool type_is(struct span header, const char *prefix)
{
	struct field f;
	struct buf type;
	bool is = false;

	if (!header_find(header, FIELD_CONTENT_TYPE, &f))
		return false;
	buf_init(&type, 1000);
	header_media_type(f.body, &type);
	is = strncmp(buf_str(&type), prefix, strlen(prefix)) == 0;
	buf_free(&type);
	return is;
}

bool recode_forbidden(const char *header, size_t n)
{
	return type_is((struct span){header, n}, "multipart/signed");
}

/* ---- header text */

struct names {
	struct buf *out;
	const char *done;
};

static int encode_name(void *arg, const struct address *a, struct error *err)
{
	struct names *n = arg;
	struct span name = a->name;

	(void)err;
	if (!text_8bit(name.p, name.n))
		return 0;
	buf_add(n->out, n->done, (size_t)(name.p - n->done));
	n->done = name.p + name.n;
	if (name.n > 1 && name.p[0] == '"' && name.p[name.n - 1] == '"')
		name = (struct span){name.p + 1, name.n - 2};
	header_put_encoded(n->out, name.p, name.n, 20);
	return 0;
}

/* Quotes, parentheses and the like are no part of a word where they have a meaning. */
static bool between_words(char c, bool structured)
{
	return ascii_space(c) || (structured && c && strchr("\"();=,<>", c));
}

/* Words that hold 8-bit bytes, and the blanks between two such, become encoded words. */
static void encode_words(struct buf *out, const char *p, const char *end, bool structured)
{
	while (p < end) {
		const char *from = p, *to, *next;

		while (p < end && between_words(*p, structured))
			p++;
		buf_add(out, from, (size_t)(p - from));
		for (from = to = next = p; next < end;) {
			const char *word = next;

			while (next < end && !between_words(*next, structured))
				next++;
			if (!text_8bit(word, (size_t)(next - word)))
				break;
			to = next;
			while (next < end && ascii_space(*next))
				next++;
		}
		if (to > from) {
			header_put_encoded(out, from, (size_t)(to - from), 20);
			p = to;
			continue;
		}
		while (p < end && !between_words(*p, structured))
			p++;
		buf_add(out, from, (size_t)(p - from));
	}
}

static void put_field(struct buf *out, const struct field *f)
{
	const char *end = f->raw.p + f->raw.n;
	struct buf t;
	struct names n = {&t, f->raw.p};
	bool addresses = field_class(field_kind(f->name)) & (CLASS_SENDER | CLASS_RECIPIENT);
	struct error none;

	if (!text_8bit(f->raw.p, f->raw.n)) {
		buf_add(out, f->raw.p, f->raw.n);
		return;
	}
	buf_init(&t, LIMIT_HEADER * 4);
	if (addresses)
		address_each(f->body.p, f->body.n, ADDRESS_SKIP_BAD, encode_name, &n, &none);
	buf_add(&t, n.done, (size_t)(end - n.done));
	encode_words(out, buf_str(&t), buf_str(&t) + t.len,
		     addresses || (f->name.n > 8 && span_iscase((struct span){f->name.p, 8}, "content-")));
	buf_free(&t);
}

/* What has no form that could say it in 7 bits. */
static void pass_seven(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(out, (unsigned char)p[i] < 128 ? p[i] : '?');
}

/* ---- a part's header */

static enum mode leaf_mode(struct span header, bool *set_qp)
{
	struct field f;
	struct span value = {"", 0};

	*set_qp = false;
	if (header_find(header, FIELD_CTE, &f))
		value = span_trim(f.body);
	if (span_iscase(value, "base64"))
		return MODE_PASS;
	if (span_iscase(value, "quoted-printable"))
		return MODE_PASS_QP;
	if (value.n && !span_iscase(value, "7bit") && !span_iscase(value, "8bit") && !span_iscase(value, "binary"))
		return MODE_PASS;
	*set_qp = true;
	return MODE_QP;
}

/* Whether the parts of this multipart can be told from one another. */
static bool push(struct recode *r, struct span header)
{
	struct field f;
	struct buf value;
	int before = r->depth;

	if (!header_find(header, FIELD_CONTENT_TYPE, &f))
		return false;
	buf_init(&value, LIMIT_HEADER_LINE);
	if (header_param(f.body, "boundary", &value) && value.len && value.len < BOUNDARY && r->depth < DEPTH &&
	    !text_8bit(value.data, value.len)) {
		memcpy(r->stack[r->depth], value.data, value.len + 1);
		r->depth++;
	}
	buf_free(&value);
	return r->depth > before;
}

/* cte: the value to say now, or NULL to leave what is there. */
static void put_header(struct buf *out, struct span header, const char *cte)
{
	struct field f;
	bool said = false, mime = false;

	while (header_next(&header, &f)) {
		enum field_kind kind = field_kind(f.name);

		mime = mime || kind == FIELD_MIME_VERSION;
		if (kind != FIELD_CTE || !cte) {
			put_field(out, &f);
		} else if (!said) {
			buf_addf(out, "Content-Transfer-Encoding: %s\n", cte);
			said = true;
		}
	}
	if (cte && !said && strcmp(cte, "7bit") != 0)
		buf_addf(out, "Content-Transfer-Encoding: %s\n", cte);
	pass_seven(out, header.p, header.n);
}

static void end_header(struct recode *r, struct buf *out)
{
	struct span header = {buf_str(&r->header), r->header.len};
	const char *cte = NULL;
	bool qp;

	if (type_is(header, "multipart/") && push(r, header)) {
		r->mode = MODE_PASS;
		cte = "7bit";
	} else if (type_is(header, "message/rfc822") || type_is(header, "message/global")) {
		r->mode = MODE_HEADER;
		cte = "7bit";
	} else if (type_is(header, "message/")) {
		r->mode = MODE_PASS;
	} else {
		r->mode = leaf_mode(header, &qp);
		if (qp)
			cte = "quoted-printable";
	}
	put_header(out, header, cte);
	buf_reset(&r->header);
	r->column = 0;
	r->held = '\0';
}

/* ---- bodies */

static void put_hex(struct buf *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char hex[3] = {'=', digits[c >> 4], digits[c & 15]};

	buf_add(out, hex, sizeof(hex));
}

static void qp_byte(struct recode *r, struct buf *out, unsigned char c, bool plain)
{
	size_t n = plain ? 1 : 3;

	if (r->column + n > QP_LINE) {
		buf_adds(out, "=\n");
		r->column = 0;
	}
	if (plain && !(c == '.' && r->column == 0)) {
		buf_addc(out, (char)c);
	} else {
		put_hex(out, c);
		n = 3;
	}
	r->column += n;
}

/* A blank at the end of a line is encoded, so one is held until we see what follows. */
static void qp_put(struct recode *r, struct buf *out, char c)
{
	char held = r->held;

	r->held = '\0';
	if (held)
		qp_byte(r, out, (unsigned char)held, c != '\n');
	if (c == '\n') {
		buf_addc(out, '\n');
		r->column = 0;
	} else if (c == ' ' || c == '\t') {
		r->held = c;
	} else {
		qp_byte(r, out, (unsigned char)c, c > ' ' && c < 127 && c != '=');
	}
}

static void pass_qp(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] < 128)
			buf_addc(out, p[i]);
		else
			put_hex(out, (unsigned char)p[i]);
	}
}

static void body_bytes(struct recode *r, struct buf *out, const char *p, size_t n)
{
	if (r->mode == MODE_PASS)
		pass_seven(out, p, n);
	else if (r->mode == MODE_PASS_QP)
		pass_qp(out, p, n);
	else
		for (size_t i = 0; i < n; i++)
			qp_put(r, out, p[i]);
}

/* A line of what may be a header; false: the header ended before it. */
static bool header_bytes(struct recode *r, struct buf *out, const char *p, size_t n)
{
	bool goes_on = r->middle || ((*p == ' ' || *p == '\t') && r->header.len);
	size_t colon;

	if (goes_on || header_is_field(p, n, &colon)) {
		buf_add(&r->header, p, n);
		return true;
	}
	buf_addc(&r->header, '\n');
	end_header(r, out);
	return *p == '\n';
}

/* Whether a whole line is one of our boundaries: then everything inside it is over. */
static bool boundary(struct recode *r, struct buf *out)
{
	const char *p = buf_str(&r->line);

	if (r->middle || strncmp(p, "--", 2) != 0)
		return false;
	for (int i = r->depth - 1; i >= 0; i--) {
		size_t n = strlen(r->stack[i]);
		bool last;

		if (strncmp(p + 2, r->stack[i], n) != 0)
			continue;
		last = strncmp(p + 2 + n, "--", 2) == 0;
		if (!last && span_trim(span_of(p + 2 + n)).n)
			continue;
		r->depth = last ? i : i + 1;
		r->mode = last ? MODE_PASS : MODE_HEADER;
		r->held = '\0';
		r->column = 0;
		pass_seven(out, p, r->line.len); /* whatever stands behind the last one */
		return true;
	}
	return false;
}

/* A line, or a piece of one that is longer than PIECE. */
static void piece(struct recode *r, struct buf *out)
{
	const char *p = buf_str(&r->line);
	size_t n = r->line.len;

	if (!boundary(r, out)) {
		bool header = r->mode == MODE_HEADER && header_bytes(r, out, p, n);

		while (!header && r->mode == MODE_HEADER)	/* a part in a part, without an empty line between */
			header = header_bytes(r, out, p, n);
		if (!header)
			body_bytes(r, out, p, n);
	}
	r->middle = n && p[n - 1] != '\n';
	buf_reset(&r->line);
}

int recode_add(struct recode *r, struct buf *out, const char *p, size_t n)
{
	while (n) {
		size_t room = PIECE - r->line.len, take;
		const char *nl = memchr(p, '\n', n < room ? n : room);

		take = nl ? (size_t)(nl - p) + 1 : n < room ? n : room;
		buf_add(&r->line, p, take);
		p += take;
		n -= take;
		if (nl || r->line.len == PIECE)
			piece(r, out);
	}
	return buf_ok(out) && buf_ok(&r->header) && buf_ok(&r->line) ? 0 : -1;
}

int recode_end(struct recode *r, struct buf *out)
{
	if (r->line.len || r->middle)
		recode_add(r, out, "\n", 1);
	if (r->mode == MODE_HEADER && r->header.len)
		end_header(r, out);
	return buf_ok(out) && buf_ok(&r->header) ? 0 : -1;
}
