#include "config.h"
#include "mail/mapping.h"
#include "base/limits.h"
#include "mail/address.h"

#include <string.h>

enum { CANONICAL_ROUNDS = 10 };

int map_ask(const struct rewrite_map *m, const char *key, struct buf *value, struct error *err)
{
	return m->get ? m->get(m->arg, key, value, err) : 0;
}

static int set(struct buf *out, const char *spec)
{
	buf_reset(out);
	buf_adds(out, spec);
	return 0;
}

static int join(struct buf *out, struct span local, const char *domain)
{
	buf_reset(out);
	buf_add(out, local.p, local.n);
	buf_addc(out, '@');
	buf_adds(out, domain);
	return 1;
}

static bool in_list(const char *list, const char *domain)
{
	struct span rest = span_of(list ? list : ""), word;

	while (span_word(&rest, ", \t\r\n", &word))
		if (span_iscase(word, domain))
			return true;
	return false;
}

static bool is_localhost(const char *domain)
{
	return ascii_case_equal(domain, "localhost") || ascii_case_prefix(domain, "localhost.");
}

bool map_is_local(const struct rewrite_rules *r, const char *domain)
{
	return !*domain || is_localhost(domain) || in_list(r->local_domains, domain);
}

int map_complete(const struct rewrite_rules *r, const char *spec, struct buf *out)
{
	struct span local;
	const char *domain;

	address_split(spec, &local, &domain);
	if (!*domain && local.n)
		return join(out, local, r->myorigin);
	if (!r->append_domain || !local.n || strchr(domain, '.') || *domain == '[' || is_localhost(domain))
		return set(out, spec);
	join(out, local, domain);
	buf_addc(out, '.');
	buf_adds(out, r->append_domain);
	return 1;
}

int map_domain(const struct rewrite_rules *r, const char *spec, bool strict, struct buf *out)
{
	struct span local;
	const char *domain;
	bool bad;

	address_split(spec, &local, &domain);
	bad = is_localhost(domain) || (!strchr(domain, '.') && (strict || in_list(r->local_domains, domain)));
	if (!local.n || *domain == '[' || !bad || ascii_case_equal(domain, r->myorigin))
		return set(out, spec);
	return join(out, local, r->myorigin);
}

/* ---- canonical and generic: user@domain, user (of ours), @domain; each with and without its extension. */

static void add_lower(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(out, ascii_lower(p[i]));
}

/* Where the extension begins, or n. Names that begin with the delimiter have none. */
static size_t extension_at(const struct rewrite_rules *r, const char *p, size_t n)
{
	const char *delimiters = r->recipient_delimiter ? r->recipient_delimiter : "";

	for (size_t i = 1; i < n; i++)
		if (*delimiters && p[i] && strchr(delimiters, p[i]))
			return i;
	return n;
}

/* Asks for the key local@domain (or local alone, or @domain). */
static int ask(const struct rewrite_map *m, struct span local, const char *domain, struct buf *value, struct error *err)
{
	ADDRESS_BUF(key);

	add_lower(&key, local.p, local.n);
	if (domain) {
		buf_addc(&key, '@');
		add_lower(&key, domain, strlen(domain));
	}
	buf_reset(value);
	return buf_ok(&key) ? map_ask(m, key.data, value, err) : 0;
}

/* "@new" keeps the local part; a bare name gets myorigin; an extension that did not take part is kept. */
static int take_value(const struct rewrite_rules *r, struct span local, size_t cut, struct buf *value, struct buf *out,
		      struct error *err)
{
	struct span to = span_trim(buf_span(value)), newlocal;
	struct error why;
	ADDRESS_BUF(spec);
	const char *domain;
	int rc = -1;

	buf_reset(out);
	if (to.n > 1 && to.p[0] == '@') {
		buf_add(out, local.p, local.n);
		buf_add(out, to.p, to.n);
		rc = 1;
	} else if (address_one(to.p, to.n, &spec, err) == 0) {
		address_split(buf_str(&spec), &newlocal, &domain);
		buf_add(out, newlocal.p, newlocal.n);
		if (cut < local.n && newlocal.n && newlocal.p[0] != '"')
			buf_add(out, local.p + cut, local.n - cut);
		buf_addc(out, '@');
		buf_adds(out, *domain ? domain : r->myorigin);
		rc = newlocal.n ? 1 : error_set(err, REASON_CONFIG, "it is the empty address");
	}
	if (rc > 0 && (address_check(buf_str(out), &why) < 0 || strlen(buf_str(out)) != out->len))
		rc = error_set(err, REASON_CONFIG, "it is no mail address");
	if (rc < 0)
		error_prefix(err, "a map's value for \"%.*s\" is of no use", (int)local.n, local.p);
	return rc;
}

/* Asks for user+extension@domain, user@domain, user (of ours), @domain. *cut: where what took no part in the key
 * begins. */
static int find(const struct rewrite_rules *r, const struct rewrite_map *m, struct span local, const char *domain,
		size_t *cut, struct buf *value, struct error *err)
{
	bool ours = map_is_local(r, domain) || ascii_case_equal(domain, r->myorigin);
	size_t extension = extension_at(r, local.p, local.n);
	int rc;

	*cut = local.n;
	rc = ask(m, local, domain, value, err);
	if (rc == 0 && extension < local.n) {
		*cut = extension;
		rc = ask(m, (struct span){local.p, extension}, domain, value, err);
	}
	if (rc == 0 && ours)
		rc = ask(m, (struct span){local.p, *cut}, NULL, value, err);
	if (rc == 0) {
		*cut = local.n;
		rc = ask(m, (struct span){"", 0}, domain, value, err);
	}
	return rc;
}

/* keep: an extension that took no part stays (Postfix: propagate_unmatched_extensions, which names canonical maps, not
 * generic ones). */
static int map_once(const struct rewrite_rules *r, const struct rewrite_map *m, const char *spec, bool keep,
		    struct buf *out, struct error *err)
{
	struct span local;
	const char *domain;
	struct buf value;
	size_t cut;
	int rc;

	address_split(spec, &local, &domain);
	buf_init(&value, LIMIT_ADDRESS * 4);
	rc = find(r, m, local, domain, &cut, &value, err);
	if (rc > 0)
		rc = take_value(r, local, keep ? cut : local.n, &value, out, err);
	else if (rc == 0)
		set(out, spec);
	buf_free(&value);
	return rc;
}

static int canonical(const struct rewrite_rules *r, const struct rewrite_map *m, const char *spec, struct buf *out,
		     struct error *err)
{
	ADDRESS_BUF(was);
	int rc = 1, changed = 0;

	if (!m->get || !*spec)
		return set(out, spec);
	set(&was, spec);
	for (int i = 0; rc > 0 && i < CANONICAL_ROUNDS; i++) {
		rc = map_once(r, m, buf_str(&was), true, out, err);
		if (rc < 0 || address_same(buf_str(&was), buf_str(out)))
			break;
		changed = 1;
		set(&was, buf_str(out));
	}
	return rc < 0 ? -1 : changed;
}

static bool is_sender(enum map_role role)
{
	return role == ENVELOPE_SENDER || role == HEADER_SENDER;
}

/* Whether a list of classes names this one; no list names all. */
static bool applies(const char *classes, enum map_role role)
{
	static const char *const names[] = {[ENVELOPE_SENDER] = "envelope_sender",
					    [HEADER_SENDER] = "header_sender",
					    [ENVELOPE_RECIPIENT] = "envelope_recipient",
					    [HEADER_RECIPIENT] = "header_recipient"};

	return !classes || in_list(classes, names[role]);
}

int map_canonicals(const struct rewrite_rules *r, enum map_role role, const char *spec, struct buf *out,
		   struct error *err)
{
	static const struct rewrite_map none;
	const struct rewrite_map *own = is_sender(role) ? &r->sender_canonical : &r->recipient_canonical;
	const char *classes = is_sender(role) ? r->sender_canonical_classes : r->recipient_canonical_classes;
	ADDRESS_BUF(t);
	int rc = canonical(r, applies(classes, role) ? own : &none, spec, &t, err), again;

	if (rc < 0)
		return -1;
	again = canonical(r, applies(r->canonical_classes, role) ? &r->canonical : &none, t.data, out, err);
	return again < 0 ? -1 : rc || again;
}

int map_generic(const struct rewrite_rules *r, const char *spec, struct buf *out, struct error *err)
{
	return r->generic.get && *spec ? map_once(r, &r->generic, spec, false, out, err) : set(out, spec);
}

int map_virtual(const struct rewrite_rules *r, const char *spec, struct buf *value, struct error *err)
{
	struct span local, list;
	const char *domain;
	ADDRESS_BUF(keep);
	size_t cut;
	int rc;

	address_split(spec, &local, &domain);
	buf_reset(value);
	rc = find(r, &r->virtual, local, domain, &cut, value, err);
	list = span_trim(buf_span(value));
	if (rc <= 0 || list.n < 2 || list.p[0] != '@')
		return rc > 0 && !list.n ? 0 : rc;
	buf_add(&keep, local.p, local.n);	/* "@new": the same name there */
	buf_add(&keep, list.p, list.n);
	buf_reset(value);
	buf_add(value, keep.data, keep.len);
	return 1;
}

/* ---- masquerading: host.example.com becomes example.com; "!host.example.com" in the list keeps that one. */

static bool below(const char *domain, struct span parent)
{
	size_t n = strlen(domain);

	return n > parent.n && domain[n - parent.n - 1] == '.' &&
	       span_iscase(parent, domain + n - parent.n);
}

int map_masquerade(const struct rewrite_rules *r, const char *spec, struct buf *out)
{
	struct span rest = span_of(r->masquerade_domains ? r->masquerade_domains : ""), word, local;
	const char *domain;
	char name[LIMIT_ADDRESS + 1];

	address_split(spec, &local, &domain);
	if (!*domain || !span_copy(local, name, sizeof(name)) || in_list(r->masquerade_exceptions, name))
		return set(out, spec);
	while (span_word(&rest, ", \t\r\n", &word)) {
		bool keep = word.p[0] == '!';

		if (keep)
			word = span_from(word, 1);
		if (keep && (span_iscase(word, domain) || below(domain, word)))
			return set(out, spec);
		if (!keep && below(domain, word))
			return join(out, local, domain + strlen(domain) - word.n);
	}
	return set(out, spec);
}

/* ---- all of it */

int map_all(const struct rewrite_rules *r, enum map_role role, const char *spec, struct buf *out, struct error *err)
{
	ADDRESS_BUF(t);
	int rc;

	if (!*spec)
		return set(out, spec);
	map_complete(r, spec, &t);
	rc = map_canonicals(r, role, buf_str(&t), out, err);
	if (rc >= 0) {
		map_masquerade(r, buf_str(out), &t);
		rc = map_generic(r, buf_str(&t), out, err);
	}
	if (rc >= 0) {
		set(&t, buf_str(out));
		map_domain(r, buf_str(&t), is_sender(role), out);
		rc = buf_ok(out) && buf_ok(&t) ? 0 : error_set(err, REASON_BAD_ADDRESS, "an address became too long");
	}
	return rc < 0 ? -1 : strcmp(spec, buf_str(out)) != 0;
}
