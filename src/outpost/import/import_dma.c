/* import_dma.c: the DragonFly mail agent's dma.conf ("NAME value", '#' begins a comment) and its file of logins,
 * auth.conf. */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct dma {
	struct import *im;
	struct import_relay relay;
	char aliases[1024], logins[1024], certificate[1024], mailname[1024], masquerade[1024];
	bool secure, starttls, opportunistic, defer, nullclient;
	unsigned other_logins;	/* lines of auth.conf for other hosts */
	bool catch_all;		/* an alias "*", which does not exist here */
};

static const struct import_field fields[] = {
	IMPORT_TEXT(struct dma, "SMARTHOST", relay.host), IMPORT_TEXT(struct dma, "PORT", relay.port),
	IMPORT_TEXT(struct dma, "ALIASES", aliases), IMPORT_TEXT(struct dma, "AUTHPATH", logins),
	IMPORT_TEXT(struct dma, "FINGERPRINT", relay.fingerprint), IMPORT_TEXT(struct dma, "CERTFILE", certificate),
	IMPORT_TEXT(struct dma, "MAILNAME", mailname), IMPORT_TEXT(struct dma, "MASQUERADE", masquerade),
	IMPORT_FLAG(struct dma, "SECURETRANSFER", secure), IMPORT_FLAG(struct dma, "STARTTLS", starttls),
	IMPORT_FLAG(struct dma, "OPPORTUNISTIC_TLS", opportunistic), IMPORT_FLAG(struct dma, "DEFER", defer),
	IMPORT_FLAG(struct dma, "NULLCLIENT", nullclient), IMPORT_END,
};

static void take_setting(void *arg, struct span line)
{
	struct dma *d = arg;
	struct span setting, comment, name, value;

	import_split(line, "#", &setting, &comment);
	import_split(setting, " \t", &name, &value);
	import_store(d->im, fields, d, name, value);
}

/* "user|host:password", or a blank in place of the colon; of several for a host the last one counts. */
static void take_login(void *arg, struct span line)
{
	struct dma *d = arg;
	struct import_relay *r = &d->relay;
	struct span user, login, host, password;

	import_split(line, "|", &user, &login);
	import_split(login, ": \t", &host, &password);
	if (host.n == login.n)
		return;
	if (!span_is(host, r->host)) {
		d->other_logins++;
		return;
	}
	import_copy(d->im, r->user, sizeof(r->user), user);
	import_copy(d->im, r->password, sizeof(r->password), password);
}

/* Where dma's directory was copied elsewhere, its file of logins is there, too. */
static int read_logins(struct dma *d, const char *dir, struct error *err)
{
	static const char usual[] = "/etc/dma/";
	char path[PATH_MAX];

	if (!*d->logins)
		return 0;
	if (strncmp(d->logins, usual, sizeof(usual) - 1) == 0)
		snprintf(path, sizeof(path), "%s/%s", dir, d->logins + sizeof(usual) - 1);
	else
		snprintf(path, sizeof(path), "%s", d->logins);
	if (import_lines(path, take_login, d, err) < 0)
		return -1;
	if (!*d->relay.user && d->other_logins)
		import_note(d->im, "%s has logins, but none for %s: no login was taken", path, d->relay.host);
	return 0;
}

static void take_alias(void *arg, struct span line)
{
	struct dma *d = arg;

	d->catch_all |= line.p[0] == '*';
}

/* dma verifies no certificate but by its fingerprint. Only a password is never sent in the clear. */
static int add_relay(struct dma *d, const char *dir, struct error *err)
{
	struct import_relay *r = &d->relay;

	if (!*r->port)
		snprintf(r->port, sizeof(r->port), "25");
	if (read_logins(d, dir, err) < 0)
		return -1;
	r->tls = d->secure && (*r->user || !d->opportunistic);
	r->implicit_tls = d->secure && !d->starttls;
	r->unverified = !*r->fingerprint;
	import_relays(d->im, r, 1);
	if (d->secure)
		import_set(d->im, "smtp_tls_cert_file", d->certificate);
	return 0;
}

static void add_sender(struct dma *d)
{
	const char *who = d->masquerade, *at = strrchr(who, '@'), *domain = at ? at + 1 : who;

	import_set(d->im, d->mailname[0] == '/' ? "myorigin" : "myhostname", d->mailname);
	if (at && at > who && *domain)
		import_set(d->im, "from_address", who);
	else if (at && at > who)
		import_note(d->im, "every sender became \"%s\" on this host: write from_address = %syour.domain into "
			    "main.cf", who, who);
	else if (*who && !*d->mailname)
		import_set(d->im, "myorigin", domain);
	else if (*who)
		import_note(d->im, "every sender became a user of %s: write myorigin = %s in place of the one above",
			    domain, domain);
}

static void add_local(struct dma *d)
{
	const char *aliases = *d->aliases ? d->aliases : "/etc/aliases";
	struct error ignored;
	char maps[1100];

	if (d->nullclient) {
		buf_adds(d->im->main_cf, "alias_maps =\n");
		return;
	}
	if (strcmp(aliases, "/etc/aliases") != 0) {
		snprintf(maps, sizeof(maps), "hash:%s", aliases);
		import_set(d->im, "alias_maps", maps);
	}
	if (access(aliases, R_OK) == 0)
		import_lines(aliases, take_alias, d, &ignored);
	import_note(d->im, "mail for users of this machine was put into their mailboxes; outpost sends it to "
		    "USER@myorigin, or where %s says: write \"root: you@example.com\" there", aliases);
	if (d->catch_all)
		import_note(d->im, "%s has an alias \"*\", which outpost does not know: name the users in its place",
			    aliases);
}

static int read_dma(struct dma *d, const char *dir, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dma.conf", dir);
	if (import_lines(path, take_setting, d, err) < 0)
		return -1;
	if (!*d->relay.host)
		return error_set(err, REASON_DATA,
				 "%s names no SMARTHOST: dma took mail to each recipient's own server; outpost "
				 "requires a relay, see main.cf(5) under relayhost", path);
	if (add_relay(d, dir, err) < 0)
		return -1;
	add_sender(d);
	add_local(d);
	if (d->defer)
		import_note(d->im, "dma kept mail until `dma -q` (DEFER); outpost sends it at once");
	return 0;
}

int import_dma(struct import *im, const char *path, struct error *err)
{
	struct dma d = {.im = im};
	int rc = read_dma(&d, path, err);

	explicit_bzero(&d, sizeof(d));
	return rc;
}
