/* import_msmtp.c: msmtp's file: "defaults", "account NAME [: PARENT]", and "name value" lines. The default account is taken. */
#include "config.h"
#include "outpost/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ACCOUNTS = 32 };

struct account {
	char name[128];
	char host[256], port[32], user[256], password[1024], from[256], aliases[1024], trust[1024], fingerprint[256];
	char domain[256];
	bool tls, starttls, check, evaluated;
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
	else if (span_iscase(name, "passwordeval"))
		m->now->evaluated = true;
	else
		set_text(m, name, value);
	return 0;
}

static void add_account(struct import *im, const struct account *a)
{
	struct import_relay r = {.tls = a->tls, .implicit_tls = a->tls && !a->starttls, .unverified = !a->check};
	char maps[1100];

	snprintf(r.host, sizeof(r.host), "%s", a->host);
	snprintf(r.port, sizeof(r.port), "%s", *a->port ? a->port : r.implicit_tls ? "465" : a->tls ? "587" : "25");
	snprintf(r.user, sizeof(r.user), "%s", a->user);
	snprintf(r.password, sizeof(r.password), "%s", a->password);
	if (strcmp(a->trust, "system") != 0)
		snprintf(r.ca_file, sizeof(r.ca_file), "%s", a->trust);
	snprintf(r.fingerprint, sizeof(r.fingerprint), "%s", a->fingerprint);
	import_relay(im, &r);
	explicit_bzero(&r, sizeof(r));
	import_set(im, "from_address", strpbrk(a->from, "%*") ? "" : a->from);
	import_set(im, "smtp_helo_name", a->domain);
	if (*a->aliases) {
		snprintf(maps, sizeof(maps), "hash:%s", a->aliases);
		import_set(im, "alias_maps", maps);
	}
	if (a->evaluated)
		import_note(im, "passwordeval: write smtp_sasl_password_maps = exec:/path/of/a/program that prints the password "
			    "(sasl_passwd(5)), or put the password into sasl_passwd");
}

int import_msmtp(struct import *im, const char *path, struct error *err)
{
	struct msmtp *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return error_set(err, EX_OSERR, NULL, "no memory");
	m->im = im;
	m->n = 1;
	m->now = &m->accounts[0];
	m->now->starttls = m->now->check = true;
	rc = import_lines(path, take_line, m, err);
	if (rc == 0 && (!m->chosen || !*m->chosen->host))
		rc = error_set(err, EX_DATAERR, NULL, "%s names no account with a host", path);
	if (rc == 0)
		add_account(im, m->chosen);
	explicit_bzero(m, sizeof(*m));
	free(m);
	return rc;
}
