/*
 * import_msmtp.c: msmtp's file: "defaults", "account NAME [: PARENT]", and "name value" lines. The default account
 * becomes relayhost; the others are chosen by the sender, as msmtp does it for what calls it as sendmail.
 */
#include "config.h"
#include "outpost/import/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS = 32 };

struct account {
	char name[128], from[256], aliases[1024], domain[256];
	struct import_relay relay;
	bool starttls, check, evaluated, login;
};

static const struct import_field fields[] = {
	IMPORT_TEXT(struct account, "host", relay.host), IMPORT_TEXT(struct account, "port", relay.port),
	IMPORT_TEXT(struct account, "user", relay.user), IMPORT_TEXT(struct account, "password", relay.password),
	IMPORT_TEXT(struct account, "from", from), IMPORT_TEXT(struct account, "aliases", aliases),
	IMPORT_TEXT(struct account, "tls_trust_file", relay.ca_file), IMPORT_TEXT(struct account, "domain", domain),
	IMPORT_TEXT(struct account, "tls_fingerprint", relay.fingerprint),
		IMPORT_FLAG(struct account, "tls", relay.tls),
	IMPORT_FLAG(struct account, "tls_starttls", starttls), IMPORT_FLAG(struct account, "tls_certcheck", check),
	IMPORT_FLAG(struct account, "auth", login), IMPORT_FLAG(struct account, "passwordeval", evaluated), IMPORT_END,
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

/* "NAME [: PARENT]": begins with the parent's values, or the defaults. */
static void begin_account(struct msmtp *m, struct span value)
{
	struct account *from = &m->accounts[0];
	struct span name, parent;

	import_split(value, ":", &name, &parent);
	if (parent.n > 0)
		from = find(m, parent);
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

static void take_line(void *arg, struct span line)
{
	struct msmtp *m = arg;
	struct span name, value;

	import_split(line, " \t", &name, &value);
	value = import_unquote(value, "\"");
	if (span_iscase(name, "defaults"))
		m->now = &m->accounts[0];
	else if (span_iscase(name, "account"))
		begin_account(m, value);
	else
		import_store(m->im, fields, m->now, name, value);
}

static void relay_of(const struct account *a, struct import_relay *r)
{
	*r = a->relay;
	r->implicit_tls = r->tls && !a->starttls;
	r->unverified = !a->check;
	if (!a->login)
		r->user[0] = '\0';
	if (strcmp(r->ca_file, "system") == 0)
		r->ca_file[0] = '\0';
}

static const char *plain_from(const struct account *a)
{
	return strpbrk(a->from, "%*") ? "" : a->from;
}

static bool is_same(const struct account *a, const struct account *b)
{
	const struct import_relay *x = &a->relay, *y = &b->relay;

	return strcmp(x->host, y->host) == 0 && strcmp(x->port, y->port) == 0 && strcmp(x->user, y->user) == 0 &&
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

	if (!*a->relay.host || is_repeated(m, a))
		return false;
	if (!*plain_from(a)) {
		import_note(m->im, "account %s is left out: it names no address of a sender (from) by which it could "
			    "be chosen", a->name);
		return false;
	}
	relay_of(a, &r);
	import_key(&r, key, sizeof(key));
	buf_addf(import_file(m->im, "sender_relay", false), "%s %s\n", a->from, key);
	if (*r.user)
		buf_addf(import_file(m->im, "sasl_passwd", true), "%s %s:%s\n", a->from, r.user, r.password);
	if (*r.ca_file || *r.fingerprint)
		import_note(m->im, "account %s: what is trusted is said once for all relays (smtp_tls_CAfile)",
			    a->name);
	explicit_bzero(&r, sizeof(r));
	return true;
}

static void add_pattern(struct buf *b, const char *address)
{
	for (; *address; address++) {
		if (!ascii_alpha(*address) && !ascii_digit(*address) && *address != '@' && *address != '-' &&
		    *address != '_')
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
		if (*a->relay.host && *plain_from(a) && !is_repeated(m, a)) {
			buf_addc(b, '|');
			add_pattern(b, a->from);
		}
	buf_addf(b, ")$/ %s\n", plain_from(m->chosen));
	import_set_map(m->im, "sender_canonical_maps", "regexp", "sender_canonical");
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
		import_set_map(im, "sender_dependent_relayhost_maps", "hash", "sender_relay");
		import_set(im, "smtp_sender_dependent_authentication", "yes");
	}
	if (further && !*r.user) {
		import_set(im, "smtp_sasl_auth_enable", "yes");
		import_set_map(im, "smtp_sasl_password_maps", "hash", "sasl_passwd");
	}
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
		if (*m->accounts[i].relay.host && m->accounts[i].evaluated)
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
		import_note(im, "passwordeval: write smtp_sasl_password_maps = exec:/path/of/a/program that prints the "
			    "password (sasl_passwd(5)), or put the password into sasl_passwd");
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
	m->now->starttls = m->now->check = m->now->login = true;
	rc = import_lines(path, take_line, m, err);
	if (rc == 0 && (!m->chosen || !*m->chosen->relay.host))
		rc = error_set(err, REASON_DATA, "%s names no account with a host", path);
	if (rc == 0) {
		add_accounts(m);
		add_rest(m);
	}
	explicit_bzero(m, sizeof(*m));
	free(m);
	return rc;
}
