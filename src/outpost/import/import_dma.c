/* import_dma.c: the DragonFly mail agent's dma.conf ("NAME value", '#' begins a comment) and its file of logins, auth.conf. */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum dma_word {
	SMARTHOST, PORT, ALIASES, AUTHPATH, FINGERPRINT, CERTFILE, MAILNAME, MASQUERADE, SECURETRANSFER, STARTTLS,
	OPPORTUNISTIC_TLS, DEFER, NULLCLIENT,
	WORDS
};

static const char *const words[WORDS] = {
	"SMARTHOST", "PORT", "ALIASES", "AUTHPATH", "FINGERPRINT", "CERTFILE", "MAILNAME", "MASQUERADE", "SECURETRANSFER", "STARTTLS",
	"OPPORTUNISTIC_TLS", "DEFER", "NULLCLIENT",
};

struct dma {
	struct import *im;
	struct import_relay relay;
	bool given[WORDS];
	char value[WORDS][1024];
	unsigned other_logins;	/* lines of auth.conf for other hosts */
	bool catch_all;		/* an alias that is there does not know */
};

static int take_word(void *arg, struct span line, struct error *err)
{
	struct dma *d = arg;
	const char *comment = memchr(line.p, '#', line.n);
	struct span rest = {line.p, comment ? (size_t)(comment - line.p) : line.n}, word;

	(void)err;
	if (!span_word(&rest, " \t", &word))
		return 0;
	for (int i = 0; i < WORDS; i++)
		if (span_is(word, words[i])) {
			d->given[i] = true;
			import_copy(d->im, d->value[i], sizeof(d->value[i]), span_trim(rest));
		}
	return 0;
}

/* "user|host:password"; of several for a host the last one counts. */
static int take_login(void *arg, struct span line, struct error *err)
{
	struct dma *d = arg;
	const char *bar = memchr(line.p, '|', line.n);
	struct span user, host;
	size_t n = 0;

	(void)err;
	if (!bar)
		return 0;
	user = (struct span){line.p, (size_t)(bar - line.p)};
	host = (struct span){bar + 1, line.n - user.n - 1};
	while (n < host.n && !strchr(": \t", host.p[n]))
		n++;
	if (n == host.n)
		return 0;
	if (!span_is((struct span){host.p, n}, d->relay.host)) {
		d->other_logins++;
		return 0;
	}
	import_copy(d->im, d->relay.user, sizeof(d->relay.user), user);
	import_copy(d->im, d->relay.password, sizeof(d->relay.password), (struct span){host.p + n + 1, host.n - n - 1});
	return 0;
}

/* Where dma's directory was copied elsewhere, its file of logins lies there, too. */
static int read_logins(struct dma *d, const char *dir, struct error *err)
{
	static const char usual[] = "/etc/dma/";
	const char *written = d->value[AUTHPATH];
	char path[PATH_MAX];

	if (!*written)
		return 0;
	if (strncmp(written, usual, sizeof(usual) - 1) == 0)
		snprintf(path, sizeof(path), "%s/%s", dir, written + sizeof(usual) - 1);
	else
		snprintf(path, sizeof(path), "%s", written);
	if (import_lines(path, take_login, d, err) < 0)
		return -1;
	if (!*d->relay.user && d->other_logins)
		import_note(d->im, "%s has logins, but none for %s: no login was taken", path, d->relay.host);
	return 0;
}

static int take_alias(void *arg, struct span line, struct error *err)
{
	struct dma *d = arg;

	(void)err;
	d->catch_all |= line.p[0] == '*';
	return 0;
}

/* dma verifies no certificate but by its fingerprint. What may be sent in the clear is, if it is no password. */
static int add_relay(struct dma *d, const char *dir, struct error *err)
{
	struct import_relay *r = &d->relay;
	bool secure = d->given[SECURETRANSFER];

	import_copy(d->im, r->host, sizeof(r->host), span_of(d->value[SMARTHOST]));
	import_copy(d->im, r->port, sizeof(r->port), span_of(*d->value[PORT] ? d->value[PORT] : "25"));
	import_copy(d->im, r->fingerprint, sizeof(r->fingerprint), span_of(d->value[FINGERPRINT]));
	if (read_logins(d, dir, err) < 0)
		return -1;
	r->tls = secure && (*r->user || !d->given[OPPORTUNISTIC_TLS]);
	r->implicit_tls = secure && !d->given[STARTTLS];
	r->unverified = !*r->fingerprint;
	import_relays(d->im, r, 1);
	if (secure)
		import_set(d->im, "smtp_tls_cert_file", d->value[CERTFILE]);
	return 0;
}

static void add_sender(struct dma *d)
{
	const char *who = d->value[MASQUERADE], *at = strrchr(who, '@');

	import_set(d->im, d->value[MAILNAME][0] == '/' ? "myorigin" : "myhostname", d->value[MAILNAME]);
	if (at && at > who && at[1])
		import_set(d->im, "from_address", who);
	else if (at && at > who)
		import_note(d->im, "every sender became \"%s\" on this host: write from_address = %syour.domain into main.cf", who, who);
	else if (*who && !d->given[MAILNAME])
		import_set(d->im, "myorigin", at ? at + 1 : who);
	else if (*who)
		import_note(d->im, "every sender became a user of %s: write myorigin = %s in place of the one above", at ? at + 1 : who,
			    at ? at + 1 : who);
}

static void add_local(struct dma *d)
{
	const char *aliases = *d->value[ALIASES] ? d->value[ALIASES] : "/etc/aliases";
	struct error ignored;
	char maps[1100];

	if (d->given[NULLCLIENT]) {
		buf_adds(&d->im->main_cf, "alias_maps =\n");
		return;
	}
	if (strcmp(aliases, "/etc/aliases") != 0) {
		snprintf(maps, sizeof(maps), "hash:%s", aliases);
		import_set(d->im, "alias_maps", maps);
	}
	if (access(aliases, R_OK) == 0)
		import_lines(aliases, take_alias, d, &ignored);
	import_note(d->im, "mail for users of this machine was put into their mailboxes; outpost sends it to USER@myorigin, or where %s "
		    "says: write \"root: you@example.com\" there", aliases);
	if (d->catch_all)
		import_note(d->im, "%s has an alias \"*\", which outpost does not know: name the users in its place", aliases);
}

static int read_dma(struct dma *d, const char *dir, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dma.conf", dir);
	if (import_lines(path, take_word, d, err) < 0)
		return -1;
	if (!*d->value[SMARTHOST])
		return error_set(err, REASON_DATA, "%s names no SMARTHOST: dma took mail to each recipient's own server; outpost wants "
				 "a relay, see main.cf(5) under relayhost", path);
	if (add_relay(d, dir, err) < 0)
		return -1;
	add_sender(d);
	add_local(d);
	if (d->given[DEFER])
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
