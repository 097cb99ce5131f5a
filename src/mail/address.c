#include "config.h"
#include "mail/address.h"
#include "base/limits.h"

#include <string.h>

/*
 * The plan. A list is read token by token. What stands between two separators is one entry: we collect it as if it were
 * a bare address (`spec`); a '<' shows that it was a display name, a ':' that it was a group's name. Two words with
 * nothing between them can be no bare address: if no '<' follows, the entry is read again, word by word.
 */
enum token { T_END, T_WORD, T_QUOTED, T_LITERAL, T_SPECIAL, T_BAD };

enum { COMMENT_DEPTH = 50, LABEL = 63 };

struct scan {
	const char *p, *end;
	unsigned flags;
	address_each_fn each;
	void *arg;
	struct error *err;
	/* the token read last */
	enum token token;
	const char *at;		/* where it begins; p is where it ends */
	const char *why;	/* T_BAD */
	/* the address being collected */
	struct buf spec;
	const char *first, *last;
	bool quoted;		/* its local part had quotes */
	bool has_at;
	bool joined;		/* the last token was a '.' or '@', or a word that ends in '.' */
	bool phrase;		/* two words side by side */
	bool in_group;
	const char *open;	/* its '<'; NULL: none */
	const char *bad;	/* why the entry is no bare address */
};

static bool is_special(char c)
{
	return c && strchr("()<>[]:;@\\,\"", c);
}

static bool is_atom(char c)
{
	return (unsigned char)c > ' ' && c != 127 && !is_special(c);
}

/* Past a comment that begins at s->p; nested, with quoted pairs. */
static bool skip_comment(struct scan *s)
{
	int depth = 0;

	while (s->p < s->end) {
		char c = *s->p++;

		if (c == '\\' && s->p < s->end)
			s->p++;
		else if (c == '(' && ++depth > COMMENT_DEPTH)
			return false;
		else if (c == ')' && --depth == 0)
			return true;
	}
	return false;
}

static enum token bad_token(struct scan *s, const char *why)
{
	s->why = why;
	return s->token = T_BAD;
}

/* Past a quoted string or a literal: to the closing byte, quoted pairs taken whole. */
static bool skip_to(struct scan *s, char close)
{
	while (s->p < s->end) {
		char c = *s->p++;

		if (c == '\\' && s->p < s->end)
			s->p++;
		else if (c == close)
			return true;
	}
	return false;
}

static enum token next(struct scan *s)
{
	for (;;) {
		while (s->p < s->end && ascii_space(*s->p))
			s->p++;
		if (s->p == s->end || *s->p != '(')
			break;
		s->at = s->p;
		if (!skip_comment(s))
			return bad_token(s, "a comment does not end");
	}
	s->at = s->p;
	if (s->p == s->end)
		return s->token = T_END;
	if (*s->p == '"') {
		s->p++;
		return skip_to(s, '"') ? (s->token = T_QUOTED) : bad_token(s, "a quoted string does not end");
	}
	if (*s->p == '[') {
		s->p++;
		return skip_to(s, ']') ? (s->token = T_LITERAL) : bad_token(s, "a '[' is not closed");
	}
	if (is_special(*s->p)) {
		s->p++;
		return s->token = T_SPECIAL;
	}
	if (!is_atom(*s->p)) {
		s->p++;
		return bad_token(s, "it holds a control byte");
	}
	while (s->p < s->end && is_atom(*s->p))
		s->p++;
	return s->token = T_WORD;
}

static bool token_is(const struct scan *s, char c)
{
	return s->token == T_SPECIAL && *s->at == c;
}

static void spec_begin(struct scan *s)
{
	buf_reset(&s->spec);
	s->first = s->last = s->open = NULL;
	s->quoted = s->has_at = s->phrase = false;
	s->joined = true;
	s->bad = NULL;
}

/* The content of a quoted string: pairs undone, folds gone. */
static void add_unquoted(struct buf *out, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '\r' || *p == '\n')
			continue;
		buf_addc(out, *p);
	}
}

static void spec_token(struct scan *s)
{
	bool dot_first = s->token == T_WORD && *s->at == '.';

	if (!s->joined && !dot_first && !token_is(s, '@'))
		s->phrase = true;
	if (!s->first)
		s->first = s->at;
	s->last = s->p;
	if (s->token == T_QUOTED) {
		if (s->has_at)
			s->bad = "its domain is quoted";
		s->quoted = true;
		add_unquoted(&s->spec, s->at + 1, s->p - 1);
	} else if (s->token == T_LITERAL) {
		if (!s->has_at)
			s->bad = "a '[' stands where a name should be";
		for (const char *p = s->at; p < s->p; p++)
			if (!ascii_space(*p))
				buf_addc(&s->spec, *p);
	} else {
		buf_add(&s->spec, s->at, (size_t)(s->p - s->at));
	}
	s->joined = s->token == T_WORD && s->p[-1] == '.';
}

/* The local part is whole: put back in the form it needs. */
static void requote(struct scan *s)
{
	ADDRESS_BUF(local);

	if (!s->quoted)
		return;
	address_put_local(&local, buf_str(&s->spec), s->spec.len);
	buf_reset(&s->spec);
	buf_add(&s->spec, local.data, local.len);
}

static void spec_at(struct scan *s)
{
	if (s->has_at)
		s->bad = "it has more than one '@'";
	else if (!s->spec.len)
		s->bad = "nothing stands before its '@'";
	else
		requote(s);
	s->has_at = s->joined = true;
	if (!s->first)
		s->first = s->at;
	s->last = s->p;
	buf_addc(&s->spec, '@');
}

static int refuse(struct scan *s, const char *from, const char *to, const char *why)
{
	struct span text = span_trim((struct span){from, (size_t)(to - from)});
	struct buf shown;

	if (s->flags & ADDRESS_SKIP_BAD)
		return 0;
	buf_init(&shown, 300);
	text_printable(&shown, text.p, text.n, 120);
	error_set(s->err, REASON_BAD_ADDRESS, "\"%s\" is no mail address: %s", buf_str(&shown), why);
	buf_free(&shown);
	return -1;
}

static bool in_domain(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '.' || c == '_' || (unsigned char)c > 127;
}

/* A whole address within quotes: "\"ann@example.com\"". Nobody's local part here is called like this. */
static bool is_quoted_address(const struct scan *s)
{
	const char *at = s->quoted && !s->has_at && s->spec.len ? memchr(s->spec.data, '@', s->spec.len) : NULL;
	const char *end = s->spec.data + s->spec.len;

	for (const char *p = at ? s->spec.data : end; p < end; p++)
		if (p < at ? !is_atom(*p) : p > at && !in_domain(*p))
			return false;
	return at && at > s->spec.data && at + 1 < end;
}

/* A shell's quote, the rest of a URL. Labels that are not ASCII get shorter or longer on their way into DNS. */
static const char *name_fault(const char *spec)
{
	size_t label = 0;
	bool ascii = true;
	struct span local;
	const char *d;

	address_split(spec, &local, &d);
	for (; *d != '[' && *d; d++) {
		if (!in_domain(*d))
			return "its domain holds a byte that no domain may hold";
		label = *d == '.' ? 0 : label + 1;
		ascii = *d == '.' || (ascii && (unsigned char)*d < 128);
		if (label > LABEL && ascii)
			return "a part of its domain is longer than 63 bytes";
	}
	return NULL;
}

/* The spec is whole: its last touches, and out with it. */
static int give(struct scan *s, const char *entry, const char *end)
{
	const char *fault = NULL;
	struct address a;
	struct error why;

	a.bare = !is_quoted_address(s);
	s->has_at = s->has_at || !a.bare;
	if (!s->has_at)
		requote(s);
	if (s->has_at && s->spec.len > 2 && s->spec.data[s->spec.len - 1] == '.' &&
	    s->spec.data[s->spec.len - 2] != '.')
		buf_cut(&s->spec, s->spec.len - 1);
	if (s->bad)
		return refuse(s, entry, end, s->bad);
	if (!buf_ok(&s->spec))
		return refuse(s, entry, end, "it is too long");
	if (s->spec.len && memchr(s->spec.data, '\0', s->spec.len))
		return refuse(s, entry, end, "it holds a control byte");
	if (s->spec.len && address_check(buf_str(&s->spec), &why) < 0)
		return refuse(s, entry, end, why.text);
	if (s->flags & ADDRESS_TO)
		fault = name_fault(buf_str(&s->spec));
	if (fault)
		return refuse(s, entry, end, fault);
	a.spec = buf_str(&s->spec);
	a.text = (struct span){s->first, (size_t)(s->last - s->first)};
	a.entry = (struct span){entry, (size_t)(end - entry)};
	a.name = span_trim((struct span){entry, s->open ? (size_t)(s->open - entry) : 0});
	a.angle = s->open != NULL;
	return s->each(s->arg, &a, s->err);
}

/* Past "@a,@b:" of a source route; true when there was one. */
static bool skip_route(struct scan *s)
{
	const char *back = s->at;

	while (s->token == T_WORD || s->token == T_LITERAL || token_is(s, '@') || token_is(s, ','))
		next(s);
	if (token_is(s, ':')) {
		next(s);
		return true;
	}
	s->p = back;
	next(s);
	return false;
}

/* Behind a '<'. */
static int angle(struct scan *s, const char *entry)
{
	const char *open = s->at;

	spec_begin(s);
	s->open = open;
	next(s);
	if (token_is(s, '@'))
		skip_route(s);
	for (;; next(s)) {
		if (s->token == T_WORD || s->token == T_QUOTED || s->token == T_LITERAL)
			spec_token(s);
		else if (token_is(s, '@'))
			spec_at(s);
		else
			break;
	}
	if (s->token == T_BAD)
		return refuse(s, entry, s->end, s->why);
	if (!token_is(s, '>'))
		return refuse(s, entry, s->p, "its '<' is not closed");
	if (s->phrase)
		s->bad = "blanks stand inside it";
	if (!s->first)
		s->first = s->last = open + 1;
	return give(s, entry, s->p);
}

/* An entry of several words without '<': each word for itself, if that is what was meant. */
static int words(struct scan *s, const char *entry, const char *end)
{
	struct span rest = {entry, (size_t)(end - entry)}, word;
	struct scan one = *s;
	int rc = 0;

	if (!(s->flags & ADDRESS_BLANKS)) {
		while (span_word(&rest, " \t\r\n", &word))
			if (!memchr(word.p, '@', word.n))
				return refuse(s, entry, end, "several words, and none in angle brackets");
		rest = (struct span){entry, (size_t)(end - entry)};
	}
	if (memchr(entry, '"', (size_t)(end - entry)) || memchr(entry, '(', (size_t)(end - entry)))
		return refuse(s, entry, end, "several words, and none in angle brackets");
	while (rc == 0 && span_word(&rest, " \t\r\n", &word)) {
		one.p = word.p;
		one.end = word.p + word.n;
		spec_begin(&one);
		while (next(&one) != T_END) {
			if (token_is(&one, '@'))
				spec_at(&one);
			else if (one.token == T_WORD || one.token == T_LITERAL)
				spec_token(&one);
			else
				one.bad = "it holds a byte that must be quoted";
		}
		rc = give(&one, word.p, word.p + word.n);
	}
	s->spec = one.spec;
	return rc;
}

/* What was collected since `entry` ends here at a separator or the end. */
static int bare(struct scan *s, const char *entry, const char *end)
{
	if (!s->first)
		return 0;
	if (s->phrase)
		return words(s, entry, end);
	return give(s, entry, end);
}

static int entry(struct scan *s);

/* Between a '>' and the separator: addresses, if somebody forgot the comma between. */
static int left_over(struct scan *s, const char *from, const char *end)
{
	struct scan one = *s;
	int rc;

	one.p = from;
	one.end = end;
	rc = entry(&one);
	s->spec = one.spec;
	return rc;
}

/* After '>': what stands before the next separator belongs to angles of its own, or is a word with an '@', or an
 * argument's word; all else is no address. */
static int after_angle(struct scan *s)
{
	const char *from = s->p;
	bool word = false, at = s->flags & ADDRESS_BLANKS;
	int rc;

	for (;;) {
		const char *entry;

		next(s);
		if (token_is(s, ';'))
			s->in_group = false;
		if (s->token == T_END || token_is(s, ',') || token_is(s, ';'))
			return word && at ? left_over(s, from, s->at) : 0;
		if (s->token == T_BAD)
			return refuse(s, s->at, s->end, s->why);
		entry = s->at;
		at = at || token_is(s, '@');
		word = word || s->token == T_WORD;
		if (token_is(s, '<')) {
			rc = angle(s, entry);
			if (rc)
				return rc;
			from = s->p;
			word = false;
			at = s->flags & ADDRESS_BLANKS;
		}
	}
}

/* One entry, up to and with its separator. */
static int entry(struct scan *s)
{
	const char *from = s->p, *stop;
	int rc;

	spec_begin(s);
	for (;;) {
		next(s);
		if (s->token == T_END || token_is(s, ',') || token_is(s, ';')) {
			stop = s->at;
			if (token_is(s, ';'))
				s->in_group = false;
			from = s->first && s->first > from ? s->first : from;
			return bare(s, from, stop);
		}
		if (s->token == T_BAD) {
			s->p = s->end;
			return refuse(s, from, s->end, s->why);
		}
		if (token_is(s, '<')) {
			rc = angle(s, s->first ? s->first : s->at);
			return rc ? rc : after_angle(s);
		}
		if (token_is(s, ':') && !s->in_group && !s->has_at) {
			s->in_group = true;
			from = s->p;
			spec_begin(s);
		} else if (token_is(s, '@')) {
			spec_at(s);
		} else if (s->token != T_SPECIAL) {
			spec_token(s);
		} else {
			s->bad = "it holds a byte that must be quoted";
			s->first = s->first ? s->first : s->at;
			s->last = s->p;
		}
	}
}

int address_each(const char *p, size_t n, unsigned flags, address_each_fn each, void *arg, struct error *err)
{
	ADDRESS_BUF(spec);
	struct scan s = {.p = p, .end = p + n, .flags = flags, .each = each, .arg = arg, .err = err, .spec = spec};
	int rc = 0;

	while (rc == 0 && s.p < s.end)
		rc = entry(&s);
	return rc;
}

struct only {
	struct buf *out;
	int n;
};

static int take_only(void *arg, const struct address *a, struct error *err)
{
	struct only *o = arg;

	if (o->n++)
		return error_set(err, REASON_BAD_ADDRESS, "more than one address where one is wanted");
	return buf_adds(o->out, a->spec) < 0 ? error_set(err, REASON_TEMPORARY, "out of memory") : 0;
}

static int just_one(const char *p, size_t n, unsigned flags, struct buf *out, struct error *err)
{
	struct only o = {out, 0};
	size_t before = out->len;

	if (address_each(p, n, flags, take_only, &o, err) < 0) {
		buf_cut(out, before);
		return -1;
	}
	return o.n ? 0 : error_set(err, REASON_BAD_ADDRESS, "no address where one is wanted");
}

int address_one(const char *p, size_t n, struct buf *out, struct error *err)
{
	return just_one(p, n, 0, out, err);
}

int address_to(const char *p, size_t n, struct buf *out, struct error *err)
{
	return just_one(p, n, ADDRESS_TO, out, err);
}

void address_split(const char *spec, struct span *local, const char **domain)
{
	const char *p = spec;

	if (*p == '"')
		for (p++; *p && *p != '"'; p++)
			if (*p == '\\' && p[1])
				p++;
	while (*p && *p != '@')
		p++;
	*local = (struct span){spec, (size_t)(p - spec)};
	*domain = *p ? p + 1 : p;
}

static bool is_dot_atom(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '.' ? i == 0 || i + 1 == n || p[i - 1] == '.' : !is_atom(p[i]))
			return false;
	}
	return n > 0;
}

int address_put_local(struct buf *out, const char *p, size_t n)
{
	if (is_dot_atom(p, n))
		return buf_add(out, p, n);
	buf_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, p[i]);
	}
	return buf_addc(out, '"');
}

int address_unquote(struct buf *out, struct span local)
{
	if (local.n < 2 || local.p[0] != '"')
		return buf_add(out, local.p, local.n);
	add_unquoted(out, local.p + 1, local.p + local.n - 1);
	return buf_ok(out) ? 0 : -1;
}

bool address_same(const char *a, const char *b)
{
	struct span la, lb;
	const char *da, *db;

	address_split(a, &la, &da);
	address_split(b, &lb, &db);
	return la.n == lb.n && memcmp(la.p, lb.p, la.n) == 0 && ascii_case_equal(da, db);
}

static const char *domain_fault(const char *d)
{
	if (*d == '[')
		return d[strlen(d) - 1] == ']' ? NULL : "its domain is malformed";
	for (const char *p = d; *p; p++)
		if (*p == '.' && (p == d || p[-1] == '.' || !p[1]))
			return "its domain has an empty part";
	return *d ? NULL : "nothing stands behind its '@'";
}

int address_check(const char *spec, struct error *err)
{
	size_t n = strlen(spec);
	struct span local;
	const char *domain, *fault = NULL;

	address_split(spec, &local, &domain);
	if (text_has_control(spec, n))
		fault = "it holds a control character";
	if (!fault && n > LIMIT_ADDRESS)
		fault = "it is too long";
	if (!fault && !text_utf8(spec, n))
		fault = "it is not UTF-8";
	if (!fault && !local.n)
		fault = "nothing stands before its '@'";
	if (!fault && spec[local.n])
		fault = domain_fault(domain);
	return fault ? error_set(err, REASON_BAD_ADDRESS, "%s", fault) : 0;
}
