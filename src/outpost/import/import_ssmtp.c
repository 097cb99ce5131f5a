/* import_ssmtp.c: ssmtp.conf holds "Name=value"; revaliases "user:address:relay". */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ssmtp {
	struct import *im;
	struct import_relay relay;
	char rewrite[256], hostname[256], root[256], mailhub[300];
	bool starttls, revaliases;
};

static const struct import_field fields[] = {
	IMPORT_TEXT(struct ssmtp, "mailhub", mailhub), IMPORT_TEXT(struct ssmtp, "root", root),
	IMPORT_TEXT(struct ssmtp, "rewriteDomain", rewrite), IMPORT_TEXT(struct ssmtp, "hostname", hostname),
	IMPORT_TEXT(struct ssmtp, "AuthUser", relay.user), IMPORT_TEXT(struct ssmtp, "AuthPass", relay.password),
	IMPORT_TEXT(struct ssmtp, "TLS_CA_File", relay.ca_file), IMPORT_FLAG(struct ssmtp, "UseTLS", relay.tls),
	IMPORT_FLAG(struct ssmtp, "UseSTARTTLS", starttls), IMPORT_END,
};

static void take_setting(void *arg, struct span line)
{
	struct ssmtp *s = arg;
	struct span name, value;

	import_split(line, "=", &name, &value);
	import_store(s->im, fields, s, name, value);
}

static void take_revalias(void *arg, struct span line)
{
	struct ssmtp *s = arg;
	struct span rest = line, user, address;

	if (!span_word(&rest, ":", &user) || !span_word(&rest, ":", &address))
		return;
	s->revaliases = true;
	buf_addf(import_file(s->im, "generic", false), "%.*s %.*s\n", (int)user.n, user.p, (int)address.n, address.p);
}

static void add_ssmtp(struct ssmtp *s)
{
	struct import_relay *r = &s->relay;
	struct span host, port;

	import_split(span_of(s->mailhub), ":", &host, &port);
	import_copy(s->im, r->host, sizeof(r->host), host);
	import_copy(s->im, r->port, sizeof(r->port), port);
	r->tls |= s->starttls;
	r->implicit_tls = r->tls && !s->starttls;
	import_relays(s->im, r, 1);
	import_set(s->im, "myhostname", s->hostname);
	import_set(s->im, "myorigin", s->rewrite);
	if (s->revaliases)
		import_set_map(s->im, "smtp_generic_maps", "hash", "generic");
	if (*s->root)
		import_note(s->im, "mail for system users went to %s: write \"root: %s\" into /etc/aliases", s->root,
			    s->root);
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
