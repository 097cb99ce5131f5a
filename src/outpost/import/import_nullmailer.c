/* import_nullmailer.c: remotes holds lines "host smtp --user=... --pass=...", tried in order; small files hold one
 * name each. */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct nullmailer {
	struct import *im;
	struct import_relay relays[IMPORT_RELAYS];
	size_t n;
	char value[256];	/* of a one-line file */
};

static const struct import_field flags[] = {
	IMPORT_TEXT(struct import_relay, "--port", port), IMPORT_TEXT(struct import_relay, "--user", user),
	IMPORT_TEXT(struct import_relay, "--pass", password), IMPORT_TEXT(struct import_relay, "--x509cafile", ca_file),
	IMPORT_FLAG(struct import_relay, "--ssl", implicit_tls), IMPORT_FLAG(struct import_relay, "--starttls", tls),
	IMPORT_FLAG(struct import_relay, "--insecure", unverified), IMPORT_END,
};

/* "HOST [PROTOCOL [FLAG ...]]"; a host without protocol is one of SMTP. */
static void take_remote(void *arg, struct span line)
{
	struct nullmailer *n = arg;
	struct import_relay *r = &n->relays[n->n];
	struct span rest = line, host, word, name, value;

	if (n->n == IMPORT_RELAYS || !span_word(&rest, " \t", &host))
		return;
	if (span_word(&rest, " \t", &word) && !span_is(word, "smtp")) {
		import_note(n->im, "%.*s is left out: outpost does not speak %.*s", (int)host.n, host.p, (int)word.n,
			    word.p);
		return;
	}
	import_copy(n->im, r->host, sizeof(r->host), host);
	while (span_word(&rest, " \t", &word)) {
		import_split(word, "=", &name, &value);
		import_store(n->im, flags, r, name, import_unquote(value, "\"'"));
	}
	r->tls |= r->implicit_tls;
	n->n++;
}

static void take_value(void *arg, struct span line)
{
	struct nullmailer *n = arg;

	if (!n->value[0])
		import_copy(n->im, n->value, sizeof(n->value), line);
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
		import_note(n->im, "mail for local users went to %s: write \"root: %s\" into /etc/aliases", n->value,
			    n->value);
}

int import_nullmailer(struct import *im, const char *path, struct error *err)
{
	struct nullmailer n = {.im = im};
	char remotes[PATH_MAX];
	int rc;

	snprintf(remotes, sizeof(remotes), "%s/remotes", path);
	rc = import_lines(remotes, take_remote, &n, err);
	if (rc == 0 && n.n == 0)
		rc = error_set(err, REASON_DATA, "%s names no relay", remotes);
	if (rc == 0) {
		import_relays(im, n.relays, n.n);
		add_names(&n, path);
	}
	explicit_bzero(&n, sizeof(n));
	return rc;
}
