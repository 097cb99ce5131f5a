/* verify.c: -bv: what would become of an address. Nothing is sent. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "mail/rewrite.h"
#include "sendmail/ask.h"
#include "sendmail/recipients.h"

enum { ALIASES, CANONICAL, RECIPIENT_CANONICAL, GENERIC, MAPS };

struct verifying {
	struct conf_maps *maps[MAPS];
	struct rewrite_rules rules;
	const char *address;
	const char *relay;
};

static int get(void *arg, const char *key, struct buf *value, struct error *err)
{
	return conf_maps_get(arg, key, value, err);
}

static int include(void *arg, const char *path, struct buf *text, struct error *err)
{
	(void)arg;
	return io_read_file(path, false, text, NULL, err);
}

static int open_maps(struct verifying *v, struct conf *c, struct error *err)
{
	static const enum conf_param params[MAPS] = {P_alias_maps, P_canonical_maps, P_recipient_canonical_maps,
						     P_smtp_generic_maps};
	struct rewrite_map *const into[MAPS] = {&v->rules.aliases, &v->rules.canonical, &v->rules.recipient_canonical,
						&v->rules.generic};

	for (int i = 0; i < MAPS; i++) {
		if (conf_maps_open(c, params[i], &v->maps[i], err) < 0)
			return -1;
		if (v->maps[i])
			*into[i] = (struct rewrite_map){get, v->maps[i]};
	}
	v->rules.myorigin = conf_myorigin(c);
	v->rules.myhostname = conf_myhostname(c);
	v->rules.recipient_delimiter = conf_str(c, P_recipient_delimiter);
	v->rules.local_domains = conf_str(c, P_mydestination);
	v->rules.include = include;
	v->rules.canonical_classes = conf_str(c, P_canonical_classes);
	v->rules.recipient_canonical_classes = conf_str(c, P_recipient_canonical_classes);
	v->rules.masquerade_classes = conf_str(c, P_masquerade_classes);
	v->rules.masquerade_domains = conf_str(c, P_masquerade_domains);
	v->rules.masquerade_exceptions = conf_str(c, P_masquerade_exceptions);
	v->relay = conf_str(c, P_relayhost);
	return 0;
}

static void close_maps(struct verifying *v)
{
	for (int i = 0; i < MAPS; i++)
		conf_maps_free(v->maps[i]);
}

static int show(void *arg, const char *address)
{
	const struct verifying *v = arg;

	printf("%s... deliverable: relay %s, user %s\n", v->address, *v->relay ? v->relay : "(relayhost is not set)", address);
	return 0;
}

static int verify(struct verifying *v, const char *address, struct error *err)
{
	struct buf note;
	int rc;

	buf_init(&note, LIMIT_HEADER);
	v->address = address;
	rc = rewrite_recipient(&v->rules, address, show, v, &note, err);
	fflush(stdout);
	fputs(buf_str(&note), stderr);
	buf_free(&note);
	return rc;
}

static int verify_all(struct verifying *v, const struct options *o, struct error *err)
{
	struct recipients r;
	int rc = 0;

	recipients_init(&r);
	for (size_t i = 0; rc == 0 && i < o->nrecipients; i++)
		rc = recipients_argument(&r, o->recipients[i], 0, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++)
		rc = verify(v, recipients_get(&r, i), err);
	recipients_free(&r);
	return rc;
}

int ask_verify(struct place *p, const struct options *o)
{
	struct verifying v = {.relay = ""};
	struct error err = p->conf_error;
	int rc = err.code ? -1 : 0;

	if (!o->nrecipients)
		rc = error_set(&err, EX_USAGE, NULL, "-bv wants addresses");
	if (rc == 0)
		rc = open_maps(&v, p->conf, &err);
	if (rc == 0)
		rc = verify_all(&v, o, &err);
	close_maps(&v);
	if (rc < 0)
		fprintf(stderr, "sendmail: %s\n", err.text);
	return rc < 0 ? err.code : EX_OK;
}
