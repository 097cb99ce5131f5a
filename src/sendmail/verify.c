/* verify.c: -bv: what would become of an address. Nothing is sent. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "rules/rules.h"
#include "sendmail/modes.h"
#include "sendmail/recipients.h"

struct verifying {
	struct rules rules;
	const char *address;
	const char *relay;
};

static int show(void *arg, const char *address)
{
	const struct verifying *v = arg;

	printf("%s... deliverable: relay %s, user %s\n", v->address, *v->relay ? v->relay : "(relayhost is not set)",
	       address);
	return 0;
}

static int verify(struct verifying *v, const char *address, struct error *err)
{
	struct buf note;
	int rc;

	buf_init(&note, LIMIT_HEADER);
	v->address = address;
	rc = rewrite_recipient(&v->rules.r, address, show, v, &note, err);
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
	for (size_t i = 0; rc == 0 && i < recipients_count(&r); i++)
		rc = verify(v, recipients_get(&r, i), err);
	recipients_free(&r);
	return rc;
}

int ask_verify(struct place *p, const struct options *o)
{
	struct verifying v = {.relay = conf_str(p->conf, P_relayhost)};
	struct error err = p->conf_error;
	int rc = err.reason ? -1 : 0;

	if (!o->nrecipients)
		rc = error_set(&err, REASON_USAGE, "-bv wants addresses");
	if (rc == 0)
		rc = rules_open_for_recipients(p->conf, &v.rules, &err);
	if (rc == 0)
		rc = verify_all(&v, o, &err);
	rules_close(&v.rules);
	return rc < 0 ? mode_complain(&err) : EX_OK;
}
