#include "config.h"
#include "mail/address.h"
#include "base/limits.h"
#include "base/string_set.h"
#include "mail/mapping.h"
#include "mail/rewrite.h"

#include <string.h>

/*
 * Expansion of one recipient. Names are local (go through aliases) when they are bare, or their domain is localhost or
 * one of mydestination. An alias's value is a list; each of its members is expanded again. What can't be done here
 * (commands, files, loops, includes that can't be read) is told in *note, and the name goes to myorigin: mail is never
 * dropped.
 */
enum { ALIAS_DEPTH = 20, ALIAS_LISTS = 100, ALIAS_MEMBERS = 100000, LIMIT_SEEN = 16 << 20, LIMIT_VALUE = 4 << 20 };

struct expansion {
	const struct rewrite_rules *r;
	int (*each)(void *arg, const char *address);
	void *arg;
	struct buf *note;
	struct error *err;
	struct buf path;	/* names being expanded now, each "\nname\n" */
	struct string_set given;	/* addresses given */
	struct string_set done;	/* aliases and lists expanded: a second time they could add nothing */
	int depth;
	size_t count;
	unsigned lists;		/* read so far */
	const char *file;	/* the :include: file that is being expanded; NULL: none */
	unsigned line;
};

static int expand(struct expansion *e, const char *spec);

static bool on_path(const struct expansion *e, const char *word)
{
	size_t n = strlen(word);
	const char *p = buf_str(&e->path);

	while ((p = strstr(p, word))) {
		if (p > e->path.data && p[-1] == '\n' && p[n] == '\n')
			return true;
		p++;
	}
	return false;
}

static int no_memory(struct expansion *e)
{
	return error_set(e->err, REASON_TEMPORARY, "out of memory for aliases");
}

/* A result; once only. */
static int put(struct expansion *e, const char *address)
{
	int fresh = string_set_add(&e->given, address);

	if (fresh < 0)
		return no_memory(e);
	e->count++;
	if (!fresh)
		return 0;
	error_set(e->err, REASON_TEMPORARY, "the recipient could not be stored");
	return e->each(e->arg, address) ? -1 : 0;
}

static int give(struct expansion *e, const char *spec)
{
	ADDRESS_BUF(t);
	ADDRESS_BUF(out);

	map_complete(e->r, spec, &t);
	if (map_generic(e->r, t.data, &out, e->err) < 0)
		return -1;
	map_domain(e->r, out.data, false, &t);
	if (!buf_ok(&t) || !buf_ok(&out))
		return error_set(e->err, REASON_BAD_ADDRESS, "an address became too long");
	return put(e, t.data);
}

/* Of a list no text is quoted: it may be anybody's, and a link to something that the reader must not see. */
static void note(struct expansion *e, const char *name, const char *what, struct span about)
{
	struct buf shown;

	if (e->file) {
		buf_addf(e->note, "%s:%u: %s\n", e->file, e->line, what);
		return;
	}
	buf_init(&shown, 400);
	text_printable(&shown, about.p, about.n, 200);
	buf_addf(e->note, "alias %s: %s%s%s\n", name, what, about.n ? ": " : "", buf_str(&shown));
	buf_free(&shown);
}

/* ---- the value of an alias */

static int member(void *arg, const struct address *a, struct error *err)
{
	(void)err;
	return *a->spec ? expand(arg, a->spec) : 0;
}

static int value_list(struct expansion *e, const char *name, struct span text);

static int list_lines(struct expansion *e, const char *name, const char *file, const struct buf *text)
{
	const char *outer = e->file, *p = buf_str(text), *end = p + text->len;
	unsigned outer_line = e->line;
	int rc = 0;

	e->file = file;
	for (e->line = 1; rc == 0 && p < end; e->line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct span line = span_trim((struct span){p, (size_t)((nl ? nl : end) - p)});

		if (line.n && line.p[0] != '#')
			rc = value_list(e, name, line);
		p = nl ? nl + 1 : end;
	}
	if (rc < 0 && e->err->reason != REASON_TOO_MANY_RECIPIENTS)
		error_set(e->err, e->err->reason, "%s:%u: this address cannot be expanded", file, e->line - 1);
	e->file = outer;
	e->line = outer_line;
	return rc;
}

/* A list that cannot be had now defers the submission; one that can never be is left out, with a note. */
static int cannot_read(struct expansion *e, const char *name, const struct error *why)
{
	if (error_exit(why) == EX_TEMPFAIL) {
		*e->err = *why;
		return -1;
	}
	note(e, name, "a list cannot be read", span_of(why->text));
	return 0;
}

static int include(struct expansion *e, const char *name, struct span path)
{
	char file[1024];
	struct buf text;
	struct error err = {0};
	int rc;

	if (!e->r->include || !path.n || !span_copy(path, file, sizeof(file)) || e->depth > ALIAS_DEPTH ||
	    e->lists > ALIAS_LISTS) {
		note(e, name, "a list cannot be read", path);
		return 0;
	}
	rc = string_set_add(&e->done, file);
	if (rc <= 0)
		return rc < 0 ? no_memory(e) : 0;
	buf_init(&text, LIMIT_VALUE);
	e->depth++;
	e->lists++;
	if (e->r->include(e->r->include_arg, file, e->file || e->r->aliases_exposed, &text, &err) < 0)
		rc = cannot_read(e, name, &err);
	else
		rc = list_lines(e, name, file, &text);
	e->depth--;
	buf_free(&text);
	return rc;
}

/* The next member: up to a comma outside of quotes and comments. */
static bool next_member(struct span *rest, struct span *m)
{
	size_t i = 0;
	bool quoted = false;
	int depth = 0;

	if (!rest->n)
		return false;
	for (; i < rest->n && (quoted || depth || rest->p[i] != ','); i++) {
		if (rest->p[i] == '\\' && quoted && i + 1 < rest->n)
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
		else if (!quoted && rest->p[i] == '(')
			depth++;
		else if (!quoted && rest->p[i] == ')' && depth)
			depth--;
	}
	if (i > rest->n)
		i = rest->n;
	*m = span_trim((struct span){rest->p, i});
	if (i < rest->n)
		i++;
	rest->p += i;
	rest->n -= i;
	return true;
}

static int one_member(struct expansion *e, const char *name, struct span m)
{
	static const char word[] = ":include:";
	char first = m.n > 1 && m.p[0] == '"' ? m.p[1] : m.n ? m.p[0] : '\0';
	struct error why;
	int rc;

	if (m.n > 1 && m.p[0] == '"' && memmem(m.p, m.n, word, strlen(word)) == m.p + 1)
		m = (struct span){m.p + 1, m.n - 2};
	if (m.n > strlen(word) && span_iscase((struct span){m.p, strlen(word)}, word))
		return include(e, name, span_trim(span_from(m, strlen(word))));
	if (first == '|' || first == '/') {
		note(e, name, first == '|' ? "commands are not run here" : "files are not delivered to", m);
		return 0;
	}
	if (first == '\\') {
		ADDRESS_BUF(spec);

		if (address_one(m.p + 1, m.n - 1, &spec, &why) == 0 && spec.len)
			return give(e, spec.data);
		note(e, name, "no mail address", m);
		return 0;
	}
	why.reason = REASON_NONE;
	rc = address_each(m.p, m.n, ADDRESS_BLANKS, member, e, &why);
	if (rc < 0 && error_exit(&why) == EX_DATAERR) {
		note(e, name, "no mail address", span_of(why.text));
		rc = 0;
	}
	return rc;
}

static int value_list(struct expansion *e, const char *name, struct span text)
{
	struct span m;
	int rc = 0;

	while (rc == 0 && next_member(&text, &m))
		if (m.n)
			rc = one_member(e, name, m);
	return rc;
}

/* ---- names */

/* Looks name up, then name without its extension. *key is the name that was found. */
static int ask_alias(struct expansion *e, struct span local, struct buf *key, struct buf *value)
{
	const char *delimiters = e->r->recipient_delimiter ? e->r->recipient_delimiter : "";
	size_t cut;
	int rc;

	address_unquote(key, local);
	for (size_t i = 0; i < key->len; i++)
		key->data[i] = ascii_lower(key->data[i]);
	if (!buf_ok(key) || !key->len)
		return 0;
	rc = map_ask(&e->r->aliases, buf_str(key), value, e->err);
	cut = 1 + strcspn(buf_str(key) + 1, delimiters);
	if (rc == 0 && cut < key->len) {
		buf_cut(key, cut);
		rc = map_ask(&e->r->aliases, buf_str(key), value, e->err);
	}
	return rc;
}

/* Whether this is the name whose value is being read. */
static bool is_last(const struct expansion *e, const char *name)
{
	struct span last = span_trim(buf_span(&e->path));
	size_t n = strlen(name);

	return last.n >= n && memcmp(last.p + last.n - n, name, n) == 0 &&
	       (last.n == n || last.p[last.n - n - 1] == '\n');
}

static int expand_found(struct expansion *e, const char *spec, const char *name, const struct buf *value)
{
	size_t before = e->count, path = e->path.len;
	int rc;

	if (on_path(e, name) || e->depth >= ALIAS_DEPTH || e->count > ALIAS_MEMBERS) {
		if (!is_last(e, name))
			note(e, name, "refers to itself in a loop", (struct span){"", 0});
		return give(e, spec);
	}
	rc = string_set_add(&e->done, name);
	if (rc <= 0)
		return rc < 0 ? no_memory(e) : 0;
	buf_addf(&e->path, "\n%s\n", name);
	e->depth++;
	rc = value_list(e, name, buf_span(value));
	e->depth--;
	buf_cut(&e->path, path);
	if (rc == 0 && e->count == before && !e->depth)
		rc = give(e, spec);
	return rc;
}

static int expand_local(struct expansion *e, const char *spec, struct span local)
{
	ADDRESS_BUF(key);
	struct buf value;
	int rc;

	buf_init(&value, LIMIT_VALUE);
	rc = ask_alias(e, local, &key, &value);
	if (rc > 0)
		rc = expand_found(e, spec, buf_str(&key), &value);
	else if (rc == 0)
		rc = give(e, spec);
	buf_free(&value);
	return rc;
}

/* 1: virtual_alias_maps have it, and it is given; 0: go on with the address itself. */
static int expand_virtual(struct expansion *e, const char *spec)
{
	ADDRESS_BUF(name);
	struct buf value;
	int rc = 0;

	for (const char *p = spec; *p; p++)
		buf_addc(&name, ascii_lower(*p));
	if (!e->r->virtual.get || is_last(e, name.data))	/* "ann: ann, copy": she herself */
		return 0;
	buf_init(&value, LIMIT_VALUE);
	rc = map_virtual(e->r, spec, &value, e->err);
	if (rc > 0)
		rc = expand_found(e, spec, buf_str(&name), &value) < 0 ? -1 : 1;
	buf_free(&value);
	return rc;
}

static int expand(struct expansion *e, const char *spec)
{
	ADDRESS_BUF(full);
	ADDRESS_BUF(t);
	struct span local;
	const char *domain;
	bool bare;
	int rc;

	address_split(spec, &local, &domain);
	bare = !*domain;
	map_complete(e->r, spec, &full);
	rc = map_canonicals(e->r, ENVELOPE_RECIPIENT, buf_str(&full), &t, e->err);
	if (rc >= 0) {
		bare = bare && rc == 0;
		rc = expand_virtual(e, buf_str(&t));
	}
	if (rc == 0) {
		address_split(buf_str(&t), &local, &domain);
		rc = bare || map_is_local(e->r, domain) ? expand_local(e, buf_str(&t), local) : give(e, buf_str(&t));
	}
	return rc < 0 ? -1 : 0;
}

int rewrite_recipient(const struct rewrite_rules *r, const char *address,
		      int (*each)(void *arg, const char *address), void *arg, struct buf *text, struct error *err)
{
	struct expansion e = {.r = r, .each = each, .arg = arg, .note = text, .err = err};
	ADDRESS_BUF(spec);
	int rc;

	buf_init(&e.path, LIMIT_SEEN);
	string_set_init(&e.given, LIMIT_SEEN, false);
	string_set_init(&e.done, LIMIT_SEEN, false);
	rc = address_one(address, strlen(address), &spec, err);
	if (rc == 0 && !spec.len)
		rc = error_set(err, REASON_BAD_ADDRESS, "the empty address can't be a recipient");
	if (rc == 0)
		rc = expand(&e, spec.data);
	buf_free(&e.path);
	string_set_free(&e.given);
	string_set_free(&e.done);
	return rc;
}

int rewrite_always_bcc(const struct rewrite_rules *r, int (*each)(void *arg, const char *address), void *arg,
		       struct buf *text, struct error *err)
{
	if (!r->always_bcc || !*r->always_bcc)
		return 0;
	return rewrite_recipient(r, r->always_bcc, each, arg, text, err);
}
