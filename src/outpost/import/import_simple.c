/* import_simple.c: nullmailer's directory and ssmtp's. */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- nullmailer: remotes holds lines "host smtp --user=... --pass=...", tried in order; small files hold one name each. */

struct nullmailer {
	struct import *im;
	struct import_relay relays[IMPORT_RELAYS];
	size_t n;
	char value[256];	/* of a one-line file */
};

/* "--name=value" or "--name"; quotes around the value go. */
static bool flag(struct span word, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (word.n < n || memcmp(word.p, name, n) != 0 || (word.n > n && word.p[n] != '='))
		return false;
	*value = word.n > n ? (struct span){word.p + n + 1, word.n - n - 1} : (struct span){"", 0};
	if (value->n >= 2 && (value->p[0] == '"' || value->p[0] == '\'') && value->p[value->n - 1] == value->p[0])
		*value = (struct span){value->p + 1, value->n - 2};
	return true;
}

static void take_flag(struct import *im, struct import_relay *r, struct span word)
{
	struct span v;

	if (flag(word, "--port", &v))
		import_copy(im, r->port, sizeof(r->port), v);
	else if (flag(word, "--user", &v))
		import_copy(im, r->user, sizeof(r->user), v);
	else if (flag(word, "--pass", &v))
		import_copy(im, r->password, sizeof(r->password), v);
	else if (flag(word, "--x509cafile", &v))
		import_copy(im, r->ca_file, sizeof(r->ca_file), v);
	else if (flag(word, "--ssl", &v))
		r->tls = r->implicit_tls = true;
	else if (flag(word, "--starttls", &v))
		r->tls = true;
	else if (flag(word, "--insecure", &v))
		r->unverified = true;
}

/* "HOST [PROTOCOL [FLAG ...]]"; a host without protocol is one of SMTP. */
static int take_remote(void *arg, struct span line, struct error *err)
{
	struct nullmailer *n = arg;
	struct import_relay *r = &n->relays[n->n];
	struct span rest = line, host, word;

	(void)err;
	if (n->n == IMPORT_RELAYS || !span_word(&rest, " \t", &host))
		return 0;
	if (span_word(&rest, " \t", &word) && !span_is(word, "smtp")) {
		import_note(n->im, "%.*s is left out: outpost does not speak %.*s", (int)host.n, host.p, (int)word.n, word.p);
		return 0;
	}
	import_copy(n->im, r->host, sizeof(r->host), host);
	while (span_word(&rest, " \t", &word))
		take_flag(n->im, r, word);
	if (!*r->port)
		snprintf(r->port, sizeof(r->port), "%s", r->implicit_tls ? "465" : r->tls ? "587" : "25");
	n->n++;
	return 0;
}

static int take_value(void *arg, struct span line, struct error *err)
{
	struct nullmailer *n = arg;

	(void)err;
	if (!n->value[0])
		import_copy(n->im, n->value, sizeof(n->value), line);
	return 0;
}

/* The first line of DIR/name; empty when there is none. */
static const char *one_line(struct nullmailer *n, const char *dir, const char *name)
{
	struct error ignored;
	char path[PATH_MAX];

	n->value[0] = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (access(path, R_OK) == 0)
		import_lines(path, take_value, n, &ignored);
	return n->value;
}

static void add_names(struct nullmailer *n, const char *path)
{
	static const struct {
		const char *file, *parameter;
	} names[] = {{"me", "myhostname"}, {"defaultdomain", "mydomain"}, {"defaulthost", "myorigin"},
		     {"helohost", "smtp_helo_name"}, {"allmailfrom", "from_address"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		import_set(n->im, names[i].parameter, one_line(n, path, names[i].file));
	if (*one_line(n, path, "adminaddr"))
		import_note(n->im, "mail for local users went to %s: write \"root: %s\" into /etc/aliases", n->value, n->value);
}

int import_nullmailer(struct import *im, const char *path, struct error *err)
{
	struct nullmailer *n = calloc(1, sizeof(*n));
	char remotes[PATH_MAX];
	int rc;

	if (!n)
		return error_set(err, REASON_SYSTEM, "no memory");
	n->im = im;
	snprintf(remotes, sizeof(remotes), "%s/remotes", path);
	rc = import_lines(remotes, take_remote, n, err);
	if (rc == 0 && n->n == 0)
		rc = error_set(err, REASON_DATA, "%s names no relay", remotes);
	if (rc == 0) {
		import_relays(im, n->relays, n->n);
		add_names(n, path);
	}
	explicit_bzero(n, sizeof(*n));
	free(n);
	return rc;
}

/* ---- ssmtp: ssmtp.conf holds "Name=value"; revaliases "user:address:relay". */

struct ssmtp {
	struct import *im;
	struct import_relay relay;
	char rewrite[256], hostname[256], root[256], mailhub[300];
	bool starttls, revaliases;
};

static int take_setting(void *arg, struct span line, struct error *err)
{
	struct ssmtp *s = arg;
	const char *eq = memchr(line.p, '=', line.n);
	struct span name, v;

	(void)err;
	if (!eq)
		return 0;
	name = span_trim((struct span){line.p, (size_t)(eq - line.p)});
	v = span_trim((struct span){eq + 1, line.n - (size_t)(eq + 1 - line.p)});
	if (span_iscase(name, "mailhub"))
		import_copy(s->im, s->mailhub, sizeof(s->mailhub), v);
	else if (span_iscase(name, "root"))
		import_copy(s->im, s->root, sizeof(s->root), v);
	else if (span_iscase(name, "rewriteDomain"))
		import_copy(s->im, s->rewrite, sizeof(s->rewrite), v);
	else if (span_iscase(name, "hostname"))
		import_copy(s->im, s->hostname, sizeof(s->hostname), v);
	else if (span_iscase(name, "AuthUser"))
		import_copy(s->im, s->relay.user, sizeof(s->relay.user), v);
	else if (span_iscase(name, "AuthPass"))
		import_copy(s->im, s->relay.password, sizeof(s->relay.password), v);
	else if (span_iscase(name, "TLS_CA_File"))
		import_copy(s->im, s->relay.ca_file, sizeof(s->relay.ca_file), v);
	else if (span_iscase(name, "UseTLS"))
		s->relay.tls = span_iscase(v, "yes");
	else if (span_iscase(name, "UseSTARTTLS"))
		s->starttls = span_iscase(v, "yes");
	return 0;
}

static int take_revalias(void *arg, struct span line, struct error *err)
{
	struct ssmtp *s = arg;
	struct span rest = line, user, address;

	(void)err;
	if (!span_word(&rest, ":", &user) || !span_word(&rest, ":", &address))
		return 0;
	s->revaliases = true;
	buf_addf(import_file(s->im, "generic", false), "%.*s %.*s\n", (int)user.n, user.p, (int)address.n, address.p);
	return 0;
}

static void add_ssmtp(struct ssmtp *s)
{
	char *colon = strrchr(s->mailhub, ':'), maps[PATH_MAX];
	struct import_relay *r = &s->relay;

	if (colon)
		*colon++ = 0;
	r->tls |= s->starttls;
	r->implicit_tls = r->tls && !s->starttls;
	import_copy(s->im, r->host, sizeof(r->host), span_of(s->mailhub));
	snprintf(r->port, sizeof(r->port), "%s", colon ? colon : r->implicit_tls ? "465" : r->tls ? "587" : "25");
	import_relays(s->im, r, 1);
	import_set(s->im, "myhostname", s->hostname);
	import_set(s->im, "myorigin", s->rewrite);
	if (s->revaliases) {
		snprintf(maps, sizeof(maps), "hash:%s/generic", s->im->dir);
		import_set(s->im, "smtp_generic_maps", maps);
	}
	if (*s->root)
		import_note(s->im, "mail for system users went to %s: write \"root: %s\" into /etc/aliases", s->root, s->root);
}

int import_ssmtp(struct import *im, const char *path, struct error *err)
{
	struct ssmtp s = {.im = im};
	char file[PATH_MAX];
	int rc;

	snprintf(file, sizeof(file), "%s/ssmtp.conf", path);
	rc = import_lines(file, take_setting, &s, err);
	snprintf(file, sizeof(file), "%s/revaliases", path);
	if (rc == 0 && access(file, R_OK) == 0)
		rc = import_lines(file, take_revalias, &s, err);
	if (rc == 0 && !*s.mailhub)
		rc = error_set(err, REASON_DATA, "%s/ssmtp.conf names no mailhub", path);
	if (rc == 0)
		add_ssmtp(&s);
	explicit_bzero(&s, sizeof(s));
	return rc;
}
