#include "config.h"
#include "mail/rewrite.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/mapping.h"

#include <string.h>

static bool has_from_address(const struct rewrite_rules *r)
{
	return r->from_address && *r->from_address;
}

bool rewrite_is_mailer_daemon(const struct rewrite_rules *r, const char *sender)
{
	struct span local;
	const char *domain;

	address_split(sender, &local, &domain);
	return span_iscase(local, "mailer-daemon") && (!*domain || ascii_case_equal(domain, r->myorigin));
}

int rewrite_sender(const struct rewrite_rules *r, const char *sender, struct buf *out, struct error *err)
{
	ADDRESS_BUF(spec);
	ADDRESS_BUF(t);
	int rc;

	if (!*sender)
		return 0;
	if (has_from_address(r))
		return address_one(r->from_address, strlen(r->from_address), out, err);
	rc = address_one(sender, strlen(sender), &spec, err);
	if (rc == 0)
		rc = map_all(r, ENVELOPE_SENDER, buf_str(&spec), &t, err);
	if (rc >= 0)
		rc = buf_adds(out, buf_str(&t)) < 0 ? error_set(err, REASON_TEMPORARY, "no room for the sender") : 0;
	return rc < 0 ? -1 : 0;
}

/* ---- the header */

struct rewriting {
	const struct rewrite_rules *r;
	const char *queue_id;
	struct buf *out;
	struct error *err;
	bool marked;		/* the queue id has found its place */
	bool has_reply_to;
	size_t senders, recipients;	/* addresses rewritten so far */
	struct buf from;	/* what From said, completed, before from_address replaced it */
	/* of the field at hand */
	enum map_role role;
	struct buf line;
	const char *done;	/* how far it is copied */
};

static size_t *counter(struct rewriting *w)
{
	return w->role == HEADER_SENDER ? &w->senders : &w->recipients;
}

static int edit_address(void *arg, const struct address *a, struct error *err)
{
	struct rewriting *w = arg;
	/* "ann@example.com." is read, not written */
	bool same = a->bare && a->text.n && a->text.p[a->text.n - 1] != '.';
	ADDRESS_BUF(t);
	int rc;

	if ((*counter(w))++ == LIMIT_HEADER_ADDRESSES)
		return 1;
	if (!*a->spec)
		return 0;
	rc = map_all(w->r, w->role, a->spec, &t, err);
	if (rc > 0 || (rc == 0 && !same)) {
		buf_add(&w->line, w->done, (size_t)(a->text.p - w->done));
		buf_adds(&w->line, buf_str(&t));
		w->done = a->text.p + a->text.n;
	}
	return rc < 0 ? -1 : 0;
}

/* Into w->line. -1 only for a map that fails. */
static int edit_field(struct rewriting *w, const struct field *f, enum map_role role)
{
	const char *end = f->raw.p + f->raw.n;

	buf_reset(&w->line);
	w->role = role;
	w->done = f->raw.p;
	if (*counter(w) <= LIMIT_HEADER_ADDRESSES &&
	    address_each(f->body.p, f->body.n, ADDRESS_SKIP_BAD, edit_address, w, w->err) < 0)
		return -1;
	buf_add(&w->line, w->done, (size_t)(end - w->done));
	return 0;
}

struct first {
	struct buf *spec, *name;
	bool have;
};

static int take_first(void *arg, const struct address *a, struct error *err)
{
	struct first *f = arg;

	(void)err;
	if (f->have)
		return 1;
	f->have = true;
	buf_adds(f->spec, a->spec);
	buf_add(f->name, a->name.p, a->name.n);
	return 0;
}

/* The display name that goes with the new address: the one that was there, or that of from_address. */
static void put_from_name(struct rewriting *w, struct span body, struct buf *spec)
{
	ADDRESS_BUF(skip);
	struct first mine = {spec, NULL, false}, theirs;
	struct error none;
	struct buf name;

	buf_init(&name, LIMIT_HEADER_LINE);
	theirs = (struct first){&skip, &name, false};
	address_each(body.p, body.n, ADDRESS_SKIP_BAD, take_first, &theirs, &none);
	if (!name.len) {
		const char *open = memchr(body.p, '(', body.n), *close = open ? memrchr(body.p, ')', body.n) : NULL;

		if (close && close > open + 1)
			header_put_name(&name, open + 1, (size_t)(close - open - 1));
	}
	mine.name = name.len ? &skip : &name;
	address_each(w->r->from_address, strlen(w->r->from_address), ADDRESS_SKIP_BAD, take_first, &mine, &none);
	if (name.len)
		buf_addf(&w->line, "%s <%s>\n", buf_str(&name), buf_str(spec));
	else
		buf_addf(&w->line, "%s\n", buf_str(spec));
	buf_free(&name);
}

static int same_address(void *arg, const struct address *a, struct error *err)
{
	(void)err;
	return address_same(arg, a->spec) ? 0 : 1;
}

/* From, Sender and their Resent- forms under from_address. */
static int replace_sender(struct rewriting *w, const struct field *f, enum field_kind kind)
{
	const char *line, *colon;
	struct error none;
	ADDRESS_BUF(spec);
	int differs;

	if (edit_field(w, f, HEADER_SENDER) < 0 ||
	    address_one(w->r->from_address, strlen(w->r->from_address), &spec, w->err) < 0)
		return -1;
	line = buf_str(&w->line);
	colon = strchr(line, ':');
	differs = address_each(colon + 1, strlen(colon + 1), 0, same_address, spec.data, &none);
	if (differs && kind == FIELD_FROM && !w->from.len)
		buf_adds(&w->from, colon + 1);
	if (differs) {
		buf_reset(&spec);
		buf_reset(&w->line);
		buf_add(&w->line, f->name.p, f->name.n);
		buf_adds(&w->line, ": ");
		put_from_name(w, f->body, &spec);
	}
	return 0;
}

enum { CHECKS = sizeof(((struct rewrite_rules *)0)->header_checks) / sizeof(struct rewrite_map) };

static int emit(struct rewriting *w, size_t i, struct span raw);

static bool is_author(enum field_kind kind)
{
	return kind == FIELD_FROM || kind == FIELD_SENDER || kind == FIELD_RESENT_FROM || kind == FIELD_RESENT_SENDER;
}

/* Nothing is wrong with the header where there was no memory. */
static int no_room(const struct buf *b, struct error *err)
{
	return error_set(err, b->starved ? REASON_TEMPORARY : REASON_HEADER_TOO_LARGE,
			 b->starved ? "out of memory for the header" :
				      "with complete addresses its header is larger than %zu bytes", b->max);
}

/* What a check says of a field: REPLACE, PREPEND, IGNORE, STRIP. Other actions, and what would make no field, leave it
 * as it is. */
static int check(struct rewriting *w, size_t i, struct span raw)
{
	const struct rewrite_map *m = &w->r->header_checks[i];
	struct span rest, action;
	struct buf key, value;
	bool keep = true;
	size_t colon;
	size_t n = raw.n && raw.p[raw.n - 1] == '\n' ? raw.n - 1 : raw.n;
	int rc = 0;

	buf_init(&key, LIMIT_CHECKED + 1);
	buf_init(&value, LIMIT_HEADER);
	buf_add(&key, raw.p, n < LIMIT_CHECKED ? n : LIMIT_CHECKED);
	if (!buf_ok(&key))
		rc = error_set(w->err, REASON_TEMPORARY, "out of memory for header checks");
	else
		rc = m->get(m->arg, buf_str(&key), &value, w->err);
	if (rc < 0 && buf_ok(&key) && !buf_ok(&value))
		no_room(&value, w->err);
	rest = buf_span(&value);
	if (rc > 0 && span_word(&rest, " \t", &action)) {
		bool replace = span_iscase(action, "REPLACE");

		rest = span_trim(rest);
		if (span_iscase(action, "IGNORE") || span_iscase(action, "STRIP"))
			keep = false;
		if ((replace || span_iscase(action, "PREPEND")) && header_is_field(rest.p, rest.n, &colon)) {
			keep = !replace;
			rc = emit(w, i + 1, rest);
		}
	}
	if (rc >= 0 && keep)
		rc = emit(w, i + 1, raw);
	buf_free(&key);
	buf_free(&value);
	return rc < 0 ? -1 : 0;
}

/* A field that is done goes through the checks from the i-th on, and out. */
static int emit(struct rewriting *w, size_t i, struct span raw)
{
	while (i < CHECKS && !w->r->header_checks[i].get)
		i++;
	if (i < CHECKS)
		return check(w, i, raw);
	header_put(w->out, raw);
	return 0;
}

/* The field that was made, if it is whole. */
static int put_line(struct rewriting *w)
{
	if (!buf_ok(&w->line))
		return no_room(&w->line, w->err);
	return emit(w, 0, buf_span(&w->line));
}

static int put_received(struct rewriting *w, const struct field *f)
{
	const char *mark = memmem(f->raw.p, f->raw.n, QUEUE_ID_MARK, strlen(QUEUE_ID_MARK));
	const char *end = f->raw.p + f->raw.n;

	if (!mark || w->marked)
		return emit(w, 0, f->raw);
	w->marked = true;
	buf_reset(&w->line);
	buf_add(&w->line, f->raw.p, (size_t)(mark - f->raw.p));
	buf_adds(&w->line, w->queue_id);
	mark += strlen(QUEUE_ID_MARK);
	buf_add(&w->line, mark, (size_t)(end - mark));
	return put_line(w);
}

static int put_field(struct rewriting *w, const struct field *f)
{
	enum field_kind kind = field_kind(f->name);
	unsigned class = field_class(kind);
	int rc;

	if (class & FIELD_CLASS_DROP)
		return 0;
	if (kind == FIELD_REPLY_TO)
		w->has_reply_to = true;
	if (kind == FIELD_RECEIVED)
		return put_received(w, f);
	if (!(class & (FIELD_CLASS_SENDER | FIELD_CLASS_RECIPIENT)))
		return emit(w, 0, f->raw);
	if (has_from_address(w->r) && is_author(kind))
		rc = replace_sender(w, f, kind);
	else
		rc = edit_field(w, f, class & FIELD_CLASS_SENDER ? HEADER_SENDER : HEADER_RECIPIENT);
	if (rc == 0)
		rc = put_line(w);
	return rc;
}

/* Where the author that from_address replaced can still be reached. */
static void keep_from(struct rewriting *w)
{
	const char *keep = w->r->from_address_keep ? w->r->from_address_keep : "reply-to";
	struct span from = span_trim(buf_span(&w->from));
	const char *name = ascii_case_equal(keep, "header") ? "X-Original-From" : "Reply-To";

	if (!from.n || ascii_case_equal(keep, "no") || (w->has_reply_to && *name == 'R'))
		return;
	buf_reset(&w->line);
	buf_addf(&w->line, "%s: %.*s\n", name, (int)from.n, from.p);
	header_put(w->out, buf_span(&w->line));
}

int rewrite_header(const struct rewrite_rules *r, const char *queue_id, const char *header, size_t n,
		   struct buf *out, struct error *err)
{
	struct rewriting w = {.r = r, .queue_id = queue_id, .out = out, .err = err};
	struct span rest = {header, n};
	struct field f;
	int rc = 0;

	buf_init(&w.line, LIMIT_HEADER_SENT);
	buf_init(&w.from, LIMIT_HEADER_LINE);
	while (rc == 0 && buf_ok(out) && header_next(&rest, &f))
		rc = put_field(&w, &f);
	if (rc == 0) {
		keep_from(&w);
		buf_add(out, rest.p, rest.n);
	}
	if (rc == 0 && !buf_ok(out))
		rc = no_room(out, err);
	buf_free(&w.line);
	buf_free(&w.from);
	return rc < 0 ? -1 : 0;
}
