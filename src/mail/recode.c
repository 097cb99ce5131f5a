#include "config.h"
#include "mail/recode.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"

#include <stdlib.h>
#include <string.h>

/*
 * The plan. The message is a tree of parts; only the path from the root to the part at hand is kept: a stack of the
 * multiparts that it is in. A part's header is held back until its empty line, then written with the encoding its body
 * will have. Bodies are streamed line by line (long lines piece by piece): each line is first held against the
 * boundaries.
 *
 * Not every part may be changed. What is in a multipart/signed goes as it is, header and all; and RFC 2045 6.4 forbids
 * encodings for composite types, so what we can't look into (message/partial) goes as it is too; only a multipart
 * without boundary, which is text to every reader, is taken as text. A byte above 127 in such a part has no 7-bit form:
 * the message is `broken`.
 */
enum { DEPTH = 20, BOUNDARY = 256, PIECE = 4096, QP_LINE = 75 };

enum mode {
	MODE_HEADER,
	MODE_QP,	/* identity becomes quoted-printable */
	MODE_IGNORED,	/* text that no reader shows: around the parts of a multipart; an 8-bit byte becomes '?' */
	MODE_KEEP,	/* must stay as it is: an 8-bit byte breaks it */
	MODE_PASS_QP,	/* quoted-printable already; a stray 8-bit byte becomes =XX */
};

struct multipart {
	char boundary[BOUNDARY];
	bool is_signed, digest;
};

struct recode {
	enum mode mode;
	struct buf header;
	struct buf line;	/* the line (or piece of one) that is being gathered */
	bool middle;		/* line is not the first piece of its line */
	bool message;		/* the header at hand is a message's, not a part's */
	bool broken, starved;
	struct multipart stack[DEPTH];
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
	r->message = true;
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

bool recode_broken(const struct recode *r)
{
	return r->broken;
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
	bool addresses = field_class(field_kind(f->name)) & (FIELD_CLASS_SENDER | FIELD_CLASS_RECIPIENT);
	struct error none;

	if (!text_8bit(f->raw.p, f->raw.n)) {
		buf_add(out, f->raw.p, f->raw.n);
		return;
	}
	buf_init(&t, LIMIT_HEADER * 8);
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

static struct span encoding(struct span header)
{
	struct field f;

	return header_find(header, FIELD_CTE, &f) ? span_trim(f.body) : (struct span){"", 0};
}

static bool is_identity(struct span encoding)
{
	return !encoding.n || span_iscase(encoding, "7bit") || span_iscase(encoding, "8bit") ||
	       span_iscase(encoding, "binary");
}

/* False: its boundary can't be known, so neither can its parts. */
static bool push(struct recode *r, struct span header)
{
	struct multipart *m = &r->stack[r->depth];
	struct field f;
	struct buf value;
	bool good;

	if (r->depth == DEPTH || !header_find(header, FIELD_CONTENT_TYPE, &f))
		return false;
	buf_init(&value, LIMIT_HEADER_LINE);
	good = header_param(f.body, "boundary", &value) && value.len && value.len < BOUNDARY &&
	       !text_8bit(value.data, value.len);
	if (good) {
		memcpy(m->boundary, value.data, value.len + 1);
		m->is_signed = type_is(header, "multipart/signed");
		m->digest = type_is(header, "multipart/digest");
		r->depth++;
	}
	buf_free(&value);
	return good;
}

/* RFC 2046 5.1.5: what says nothing of itself in a digest is a message. */
static bool is_message(const struct recode *r, struct span header)
{
	struct field f;

	if (header_find(header, FIELD_CONTENT_TYPE, &f))
		return type_is(header, "message/rfc822");
	return !r->message && r->depth && r->stack[r->depth - 1].digest;
}

/* How the body that follows this header goes; *cte: the encoding to say now, or NULL to leave what is there. */
static enum mode choose(struct recode *r, struct span header, const char **cte)
{
	struct span now = encoding(header);

	*cte = NULL;
	if (span_iscase(now, "quoted-printable"))
		return MODE_PASS_QP;
	if (!is_identity(now))
		return MODE_KEEP;
	*cte = "7bit";
	if (type_is(header, "multipart/") && push(r, header))
		return MODE_IGNORED;
	if (is_message(r, header))
		return MODE_HEADER;
	*cte = NULL;
	/* RFC 6532 3.7, RFC 6533: the message/global family may be encoded */
	if (type_is(header, "multipart/signed") || (type_is(header, "message/") && !type_is(header, "message/global")))
		return MODE_KEEP;
	*cte = "quoted-printable";
	return MODE_QP;
}

static void put_header(const struct recode *r, struct buf *out, struct span header, const char *cte)
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
	if (cte && strcmp(cte, "7bit") != 0) {
		if (!mime && r->message)
			buf_adds(out, "MIME-Version: 1.0\n");
		if (!said)
			buf_addf(out, "Content-Transfer-Encoding: %s\n", cte);
	}
	pass_seven(out, header.p, header.n);
}

/* What is too large for its ceiling has no 7-bit form. */
static void note_room(struct recode *r, const struct buf *b)
{
	r->starved = r->starved || b->starved;
	r->broken = r->broken || (b->failed && !b->starved);
}

static void end_header(struct recode *r, struct buf *out)
{
	struct span header = buf_span(&r->header);
	const char *cte;

	r->mode = choose(r, header, &cte);
	put_header(r, out, header, cte);
	r->message = r->mode == MODE_HEADER;
	note_room(r, &r->header);
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
	r->broken = r->broken || (r->mode == MODE_KEEP && text_8bit(p, n));
	if (r->mode == MODE_IGNORED || r->mode == MODE_KEEP)
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
		const struct multipart *m = &r->stack[i];
		size_t n = strlen(m->boundary);
		bool last;

		if (strncmp(p + 2, m->boundary, n) != 0)
			continue;
		last = strncmp(p + 2 + n, "--", 2) == 0;
		if (!last && span_trim(span_of(p + 2 + n)).n)
			continue;
		if (r->mode == MODE_HEADER && r->header.len)
			end_header(r, out);
		r->depth = last ? i : i + 1;
		r->mode = last ? MODE_IGNORED : m->is_signed ? MODE_KEEP : MODE_HEADER;
		r->message = false;
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

static int judge(struct recode *r, const struct buf *out)
{
	note_room(r, &r->header);
	note_room(r, &r->line);
	note_room(r, out);
	return r->starved ? -1 : 0;
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
	return judge(r, out);
}

int recode_end(struct recode *r, struct buf *out)
{
	if (r->line.len || r->middle)
		recode_add(r, out, "\n", 1);
	if (r->mode == MODE_HEADER && r->header.len)
		end_header(r, out);
	return judge(r, out);
}
