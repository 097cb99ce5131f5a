/*
 * import_msmtp.c: msmtp's file: "defaults", "account NAME [: PARENT]", and "name value" lines. The default account becomes
 * relayhost; the others are chosen by the sender, as msmtp does it for what calls it as sendmail.
 */
#include "config.h"
#include "outpost/import/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ACCOUNTS = 32 };

struct account {
	char name[128];
	char host[256], port[32], user[256], password[1024], from[256], aliases[1024], trust[1024], fingerprint[256];
	char domain[256];
	bool tls, starttls, check, evaluated, no_login;
};

struct msmtp {
	struct import *im;
	struct account accounts[ACCOUNTS];
	size_t n;
	struct account *now, *chosen;
};

static struct account *find(struct msmtp *m, struct span name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->accounts[i].name) == name.n && memcmp(m->accounts[i].name, name.p, name.n) == 0)
			return &m->accounts[i];
	return NULL;
}

/* A value may stand in double quotes. */
static struct span unquote(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return (struct span){s.p + 1, s.n - 2};
	return s;
}

/* "NAME [: PARENT]": begins with the parent's values, or the defaults. */
static void begin_account(struct msmtp *m, struct span value)
{
	const char *colon = memchr(value.p, ':', value.n);
	struct span name = span_trim((struct span){value.p, colon ? (size_t)(colon - value.p) : value.n});
	struct account *from = &m->accounts[0];

	if (colon) {
		struct span parent = span_trim((struct span){colon + 1, value.n - (size_t)(colon + 1 - value.p)});

		from = find(m, parent);
	}
	if (!from || m->n == ACCOUNTS) {
		import_note(m->im, "account %.*s was not understood", (int)name.n, name.p);
		return;
	}
	m->now = &m->accounts[m->n++];
	*m->now = *from;
	import_copy(m->im, m->now->name, sizeof(m->now->name), name);
	if (!m->chosen || span_is(name, "default"))
		m->chosen = m->now;
}

static void set_text(struct msmtp *m, struct span name, struct span value)
{
	struct account *a = m->now;
	const struct {
		const char *name;
		char *out;
		size_t size;
	} texts[] = {{"host", a->host, sizeof(a->host)}, {"port", a->port, sizeof(a->port)}, {"user", a->user, sizeof(a->user)},
		     {"password", a->password, sizeof(a->password)}, {"from", a->from, sizeof(a->from)},
		     {"aliases", a->aliases, sizeof(a->aliases)}, {"tls_trust_file", a->trust, sizeof(a->trust)},
		     {"tls_fingerprint", a->fingerprint, sizeof(a->fingerprint)}, {"domain", a->domain, sizeof(a->domain)}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (span_iscase(name, texts[i].name))
			import_copy(m->im, texts[i].out, texts[i].size, value);
}

static int take_line(void *arg, struct span line, struct error *err)
{
	struct msmtp *m = arg;
	struct span name, value = line;
	bool on;

	(void)err;
	if (!span_word(&value, " \t", &name))
		return 0;
	value = unquote(span_trim((struct span){name.p + name.n, line.n - (size_t)(name.p + name.n - line.p)}));
	on = value.n == 0 || span_iscase(value, "on");
	if (span_iscase(name, "defaults"))
		m->now = &m->accounts[0];
	else if (span_iscase(name, "account"))
		begin_account(m, value);
	else if (span_iscase(name, "tls"))
		m->now->tls = on;
	else if (span_iscase(name, "tls_starttls"))
		m->now->starttls = on;
	else if (span_iscase(name, "tls_certcheck"))
		m->now->check = on;
	else if (span_iscase(name, "auth"))
		m->now->no_login = span_iscase(value, "off");
	else if (span_iscase(name, "passwordeval"))
		m->now->evaluated = true;
	else
		set_text(m, name, value);
	return 0;
}

static void relay_of(const struct account *a, struct import_relay *r)
{
	*r = (struct import_relay){.tls = a->tls, .implicit_tls = a->tls && !a->starttls, .unverified = !a->check};
	snprintf(r->host, sizeof(r->host), "%s", a->host);
	snprintf(r->port, sizeof(r->port), "%s", *a->port ? a->port : r->implicit_tls ? "465" : a->tls ? "587" : "25");
	if (!a->no_login)
		snprintf(r->user, sizeof(r->user), "%s", a->user);
	snprintf(r->password, sizeof(r->password), "%s", a->password);
	if (strcmp(a->trust, "system") != 0)
		snprintf(r->ca_file, sizeof(r->ca_file), "%s", a->trust);
	snprintf(r->fingerprint, sizeof(r->fingerprint), "%s", a->fingerprint);
}

static const char *plain_from(const struct account *a)
{
	return strpbrk(a->from, "%*") ? "" : a->from;
}

static bool is_same(const struct account *a, const struct account *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->from, b->from) == 0;
}

/* Whether an account before this one, or the default, is the same under another name. */
static bool is_repeated(const struct msmtp *m, const struct account *a)
{
	if (is_same(a, m->chosen))
		return true;
	for (const struct account *b = &m->accounts[1]; b < a; b++)
		if (is_same(a, b))
			return true;
	return false;
}

/* An account that only its sender leads to. */
static bool add_further(struct msmtp *m, const struct account *a)
{
	struct import_relay r;
	char key[400];

	if (!*a->host || is_repeated(m, a))
		return false;
	if (!*plain_from(a)) {
		import_note(m->im, "account %s is left out: it names no address of a sender (from) by which it could be chosen", a->name);
		return false;
	}
	relay_of(a, &r);
	import_key(&r, key, sizeof(key));
	buf_addf(import_file(m->im, "sender_relay", false), "%s %s\n", a->from, key);
	if (*r.user)
		buf_addf(import_file(m->im, "sasl_passwd", true), "%s %s:%s\n", a->from, r.user, r.password);
	if (*r.ca_file || *r.fingerprint)
		import_note(m->im, "account %s: what is trusted is said once for all relays (smtp_tls_CAfile)", a->name);
	explicit_bzero(&r, sizeof(r));
	return true;
}

static void add_pattern(struct buf *b, const char *address)
{
	for (; *address; address++) {
		if (!ascii_alpha(*address) && !ascii_digit(*address) && *address != '@' && *address != '-' && *address != '_')
			buf_addc(b, '\\');
		buf_addc(b, *address);
	}
}

/* msmtp sends what names no sender of its accounts as the default account's. */
static void others_as_default(struct msmtp *m)
{
	struct buf *b = import_file(m->im, "sender_canonical", false);

	buf_adds(b, "!/^(");
	add_pattern(b, plain_from(m->chosen));
	for (const struct account *a = &m->accounts[1]; a < &m->accounts[m->n]; a++)
		if (*a->host && *plain_from(a) && !is_repeated(m, a)) {
			buf_addc(b, '|');
			add_pattern(b, a->from);
		}
	buf_addf(b, ")$/ %s\n", plain_from(m->chosen));
	buf_addf(&m->im->main_cf, "sender_canonical_maps = regexp:%s/sender_canonical\n", m->im->dir);
}

static void add_accounts(struct msmtp *m)
{
	const struct account *a = m->chosen;
	struct import *im = m->im;
	struct import_relay r;
	size_t further = 0;

	relay_of(a, &r);
	import_relays(im, &r, 1);
	for (size_t i = 1; i < m->n; i++)
		further += add_further(m, &m->accounts[i]);
	if (further) {
		buf_addf(&im->main_cf, "sender_dependent_relayhost_maps = hash:%s/sender_relay\n", im->dir);
		import_set(im, "smtp_sender_dependent_authentication", "yes");
	}
	if (further && !*r.user)
		import_set(im, "smtp_sasl_auth_enable", "yes"), buf_addf(&im->main_cf, "smtp_sasl_password_maps = hash:%s/sasl_passwd\n", im->dir);
	if (further && *plain_from(a))
		others_as_default(m);
	else
		import_set(im, "from_address", plain_from(a));
	explicit_bzero(&r, sizeof(r));
}

/* defaults alone are no account. */
static bool any_evaluated(const struct msmtp *m)
{
	for (size_t i = 1; i < m->n; i++)
		if (*m->accounts[i].host && m->accounts[i].evaluated)
			return true;
	return m->chosen->evaluated;
}

static void add_rest(const struct msmtp *m)
{
	const struct account *a = m->chosen;
	struct import *im = m->im;
	char maps[1100];

	import_set(im, "smtp_helo_name", a->domain);
	if (*a->aliases) {
		snprintf(maps, sizeof(maps), "hash:%s", a->aliases);
		import_set(im, "alias_maps", maps);
	}
	if (any_evaluated(m))
		import_note(im, "passwordeval: write smtp_sasl_password_maps = exec:/path/of/a/program that prints the password "
			    "(sasl_passwd(5)), or put the password into sasl_passwd");
}

int import_msmtp(struct import *im, const char *path, struct error *err)
{
	struct msmtp *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return error_set(err, REASON_SYSTEM, "no memory");
	m->im = im;
	m->n = 1;
	m->now = &m->accounts[0];
	m->now->starttls = m->now->check = true;
	rc = import_lines(path, take_line, m, err);
	if (rc == 0 && (!m->chosen || !*m->chosen->host))
		rc = error_set(err, REASON_DATA, "%s names no account with a host", path);
	if (rc == 0) {
		add_accounts(m);
		add_rest(m);
	}
	explicit_bzero(m, sizeof(*m));
	free(m);
	return rc;
}
