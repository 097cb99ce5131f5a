/*
 * Editing main.cf as a person would: only the lines that say the name change.
 */
#include "config.h"
#include "conf/internal.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <string.h>

/* A physical line with its newline, and what it is. */
struct line {
	struct span all;
	bool blank;		/* empty or comment */
	bool continues;		/* the setting before */
};

static bool next_line(struct span *rest, bool in_setting, struct line *l)
{
	const char *nl;
	struct span visible;

	if (!rest->n)
		return false;
	nl = memchr(rest->p, '\n', rest->n);
	l->all = (struct span){rest->p, nl ? (size_t)(nl + 1 - rest->p) : rest->n};
	*rest = span_from(*rest, l->all.n);
	visible = span_trim(l->all);
	l->blank = !visible.n || visible.p[0] == '#';
	l->continues = !l->blank && in_setting && ascii_space(l->all.p[0]);
	return true;
}

/* Whether s is "name =", comment signs before it allowed if comment. */
static bool sets(struct span s, const char *name, bool comment)
{
	s = span_trim(lines_without_mark(s));
	if (comment && (!s.n || s.p[0] != '#'))
		return false;
	while (comment && s.n && (s.p[0] == '#' || ascii_space(s.p[0])))
		s = span_from(s, 1);
	if (!span_take(&s, name))
		return false;
	s = span_trim(s);
	return s.n && s.p[0] == '=';
}

/* Where the new line belongs: at the last setting of the name, else behind the last comment that looks like one. */
struct place {
	const char *setting;	/* NULL: none */
	const char *behind;	/* end of the comment; NULL: none */
};

static struct place find_place(struct span text, const char *name)
{
	struct place p = {NULL, NULL};
	const char *before = NULL; /* p.behind before a comment that may yet turn out to stand inside of a setting */
	bool in_setting = false, open = false;
	struct line l;

	while (next_line(&text, in_setting, &l)) {
		if (l.blank) {
			if (sets(l.all, name, true)) {
				before = open ? before : p.behind;
				open = true;
				p.behind = l.all.p + l.all.n;
			}
			continue;
		}
		if (open && ascii_space(l.all.p[0])) /* the new line would take this one for its own */
			p.behind = before;
		open = false;
		in_setting = true;
		if (!l.continues && sets(l.all, name, false))
			p.setting = l.all.p;
	}
	return p;
}

static void put_setting(const char *name, const char *value, struct buf *out)
{
	if (out->len && out->data[out->len - 1] != '\n')
		buf_addc(out, '\n');
	buf_addf(out, "%s =%s%s\n", name, *value ? " " : "", value);
}

static int check_value(const char *name, const char *value, struct error *err)
{
	for (const char *v = value; v && *v; v++)
		if ((unsigned char)*v < ' ' && *v != '\t')
			return error_set(err, REASON_USAGE,
					 "the value of %s holds a line break or another control character", name);
	return 0;
}

/* Copies the text without the settings of name; the new one where the last stood. */
static void rewrite(struct span text, const char *name, const char *value, const struct place *p, struct buf *out)
{
	bool in_setting = false, dropping = false;
	struct line l;

	while (next_line(&text, in_setting, &l)) {
		if (!l.blank && !l.continues) {
			in_setting = true;
			dropping = sets(l.all, name, false);
			if (dropping && l.all.p == p->setting && value)
				put_setting(name, value, out);
		}
		if (l.blank || !dropping)
			buf_add(out, l.all.p, l.all.n);
		if (!p->setting && value && p->behind == l.all.p + l.all.n)
			put_setting(name, value, out);
	}
	if (!p->setting && !p->behind && value)
		put_setting(name, value, out);
}

int conf_edit(struct span text, const char *name, const char *value, struct buf *out, struct error *err)
{
	struct place p = find_place(text, name);

	if (check_value(name, value, err) < 0)
		return -1;
	rewrite(text, name, value, &p, out);
	if (!buf_ok(out))
		return error_set(err, REASON_DATA, "main.cf grows too large");
	return out->len != text.n || memcmp(buf_str(out), text.p, text.n) != 0;
}
