/*
 * $name, ${name}, $(name), ${name?text}, ${name:text}, ${name?{text}:{text}}, and $$ for
 * a dollar sign: as in postconf(5). A name that is set nowhere is empty, which is noted.
 */
#include "config.h"
#include "conf/internal.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int expand(struct conf *c, struct span s, struct buf *out, int depth, struct error *err);

static bool name_byte(char b)
{
	return ascii_alpha(b) || ascii_digit(b) || b == '_';
}

/* The raw text that a name stands for, or NULL. room keeps what has to be made. */
static const char *raw_of(struct conf *c, const char *name, struct buf *room)
{
	struct conf_entry *e = (struct conf_entry *)conf_entry(c, name);
	int p = conf_find(name);
	const char *made;

	if (e) {
		e->referred = true;
		if (!conf_host_completes(p, e->raw))
			return e->raw;
	}
	if (p >= 0) {
		made = conf_host_default(c, (enum conf_param)p, room);
		return made ? made : conf_table[p].def;
	}
	if (strcmp(name, "config_directory") == 0)
		return c->dir;
	if (strcmp(name, "mail_name") == 0)
		return PACKAGE_NAME;
	if (strcmp(name, "mail_version") == 0)
		return PACKAGE_VERSION;
	return NULL;
}

static int expand_name(struct conf *c, struct span name, struct buf *out, int depth, struct error *err)
{
	char key[128];
	const char *raw;
	struct buf room;
	int rc = 0;

	if (!span_copy(name, key, sizeof(key)))
		return error_set(err, REASON_CONFIG, "a name after $ is too long");
	if (depth >= LIMIT_CONF_DEPTH)
		return error_set(err, REASON_CONFIG, "$%s refers to itself in the end", key);
	if (++c->steps > LIMIT_CONF_STEPS)
		return error_set(err, REASON_CONFIG, "$%s: main.cf refers to too many names", key);
	buf_init(&room, LIMIT_CONF_FILE);
	raw = raw_of(c, key, &room);
	if (raw)
		rc = expand(c, span_of(raw), out, depth + 1, err);
	else if (!conf_postfix_knows(key))
		conf_note(c, "%s: $%s stands for nothing: there is no parameter of that name", c->path, key);
	buf_wipe(&room);
	return rc;
}

/* The length of the part of s, which begins behind an opening brace, up to its closing one; -1: none. */
static long closing(struct span s, char open, char close)
{
	int depth = 1;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == open)
			depth++;
		else if (s.p[i] == close && --depth == 0)
			return (long)i;
	}
	return -1;
}

static void skip_blanks(struct span *s)
{
	while (s->n && ascii_space(s->p[0]))
		*s = span_from(*s, 1);
}

/* Takes "{...}" off the front of s, blanks before it skipped. */
static bool take_braced(struct span *s, struct span *inner)
{
	long n;

	skip_blanks(s);
	if (!s->n || s->p[0] != '{')
		return false;
	n = closing(span_from(*s, 1), '{', '}');
	if (n < 0)
		return false;
	*inner = (struct span){s->p + 1, (size_t)n};
	*s = (struct span){s->p + n + 2, s->n - (size_t)n - 2};
	return true;
}

static bool take_byte(struct span *s, char b)
{
	const char byte[] = {b, '\0'};

	skip_blanks(s);
	return span_take(s, byte);
}

/* "?{a}:{b}", "?{a}", ":{b}", "?text", ":text": appends the one that truth chooses. */
static int choose(struct conf *c, struct span rest, bool truth, struct buf *out, int depth, struct error *err)
{
	struct span yes = {"", 0}, no = {"", 0};

	if (take_byte(&rest, '?')) {
		if (!take_braced(&rest, &yes)) {
			yes = rest;
			rest.n = 0;
		} else if (take_byte(&rest, ':') && !take_braced(&rest, &no)) {
			no = rest;
			rest.n = 0;
		}
	} else if (take_byte(&rest, ':') && !take_braced(&rest, &no)) {
		no = rest;
		rest.n = 0;
	}
	if (span_trim(rest).n)
		return error_set(err, REASON_CONFIG, "a ${...} has something behind its end");
	return expand(c, truth ? yes : no, out, depth + 1, err);
}

/* The inside of ${...}. */
static int expand_braced(struct conf *c, struct span s, struct buf *out, int depth, struct error *err)
{
	struct buf value;
	size_t n = 0;
	int rc;

	s = span_trim(s);
	while (n < s.n && name_byte(s.p[n]))
		n++;
	if (s.n && s.p[0] == '{')
		return error_set(err, REASON_CONFIG,
				 "comparisons like ${{a} == {b} ? {c}} are not known here; write the value itself");
	if (!n)
		return error_set(err, REASON_CONFIG, "a $ without a name; a dollar sign itself is written $$");
	if (n == s.n)
		return expand_name(c, s, out, depth, err);
	buf_init(&value, LIMIT_CONF_FILE);
	rc = expand_name(c, (struct span){s.p, n}, &value, depth, err);
	if (rc == 0)
		rc = choose(c, span_from(s, n), value.len > 0, out, depth, err);
	buf_wipe(&value);
	return rc;
}

/* s begins with the dollar sign; *used is how much of it was taken. */
static int expand_dollar(struct conf *c, struct span s, size_t *used, struct buf *out, int depth, struct error *err)
{
	struct span rest = {s.p + 1, s.n - 1};
	size_t n = 0;
	long end;

	if (rest.n && rest.p[0] == '$') {
		*used = 2;
		return buf_addc(out, '$');
	}
	if (rest.n && (rest.p[0] == '{' || rest.p[0] == '(')) {
		end = closing(span_from(rest, 1), rest.p[0], rest.p[0] == '{' ? '}' : ')');
		if (end < 0)
			return error_set(err, REASON_CONFIG, "a $%c is not closed", rest.p[0]);
		*used = (size_t)end + 3;
		return expand_braced(c, (struct span){rest.p + 1, (size_t)end}, out, depth, err);
	}
	while (n < rest.n && name_byte(rest.p[n]))
		n++;
	if (!n)
		return error_set(err, REASON_CONFIG, "a $ without a name; a dollar sign itself is written $$");
	*used = n + 1;
	return expand_name(c, (struct span){rest.p, n}, out, depth, err);
}

static int expand(struct conf *c, struct span s, struct buf *out, int depth, struct error *err)
{
	if (depth > LIMIT_CONF_DEPTH)
		return error_set(err, REASON_CONFIG, "${...} within ${...} too deep");
	while (s.n) {
		const char *dollar = memchr(s.p, '$', s.n);
		size_t plain = dollar ? (size_t)(dollar - s.p) : s.n;
		size_t used = 0;

		buf_add(out, s.p, plain);
		s = span_from(s, plain);
		if (!s.n)
			break;
		if (expand_dollar(c, s, &used, out, depth, err) < 0)
			return buf_ok(out) ? -1 : error_set(err, REASON_CONFIG, "a value grows too large");
		s = span_from(s, used);
	}
	if (!buf_ok(out))
		return error_set(err, REASON_CONFIG, "a value grows too large");
	return 0;
}

/* Each value may take so many steps; all of main.cf together no more, so that checking it has an end. */
static void begin(struct conf *c)
{
	if (!c->checking)
		c->steps = 0;
}

int conf_expand(struct conf *c, const char *raw, struct buf *out, struct error *err)
{
	begin(c);
	return expand(c, span_of(raw), out, 0, err);
}

int conf_expand_param(struct conf *c, enum conf_param p, struct buf *out, struct error *err)
{
	begin(c);
	return expand_name(c, span_of(conf_table[p].name), out, 0, err);
}
