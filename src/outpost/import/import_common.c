/* import_common.c: what the importers share: reading settings, and writing relays, logins and maps. */
#include "config.h"
#include "outpost/import/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/files/trust.h"
#include "base/limits.h"

void import_set(struct import *im, const char *name, const char *value)
{
	if (!*value)
		return;
	buf_addf(im->main_cf, "%s = ", name);
	for (; *value; value++) {
		if (*value == '$')
			buf_addc(im->main_cf, '$');
		buf_addc(im->main_cf, *value);
	}
	buf_addc(im->main_cf, '\n');
}

void import_note(struct import *im, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&im->notes, fmt, ap);
	va_end(ap);
	buf_addc(&im->notes, '\n');
}

struct buf *import_file(struct import *im, const char *name, bool secret)
{
	struct import_file *f;

	for (size_t i = 0; i < im->nfiles; i++)
		if (strcmp(im->files[i].name, name) == 0)
			return &im->files[i].text;
	f = &im->files[im->nfiles < IMPORT_FILES - 1 ? im->nfiles++ : IMPORT_FILES - 1];
	if (f == &im->files[IMPORT_FILES - 1]) {
		import_note(im, "%s is one map too many and was left out", name);
		buf_wipe(&f->text);
		return &f->text;
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->secret = secret;
	return &f->text;
}

void import_set_map(struct import *im, const char *name, const char *type, const char *file)
{
	buf_addf(im->main_cf, "%s = %s:%s/%s\n", name, type, im->dir, file);
}

static const char *port_of(const struct import_relay *r)
{
	return *r->port ? r->port : r->implicit_tls ? "465" : r->tls ? "587" : "25";
}

void import_key(const struct import_relay *r, char *out, size_t size)
{
	snprintf(out, size, "[%s]:%s", r->host, port_of(r));
}

static void add_login(struct import *im, const struct import_relay *r)
{
	char key[400];

	import_key(r, key, sizeof(key));
	buf_addf(import_file(im, "sasl_passwd", true), "%s %s:%s\n", key, r->user, r->password);
	if (!r->tls || r->unverified)
		import_note(im, "the password for %s was sent %s; outpost sends it over verified TLS only. If the "
			    "relay can't be verified, `outpost check` says what to write.", r->host,
			    r->tls ? "to an unverified relay" : "without TLS");
}

static void add_trust(struct import *im, const struct import_relay *r, bool first)
{
	if (first) {
		import_set(im, "smtp_tls_CAfile", r->ca_file);
		if (!*r->fingerprint)
			return;
		import_set(im, "smtp_tls_security_level", "fingerprint");
		import_set(im, "smtp_tls_fingerprint_cert_match", r->fingerprint);
	} else if (*r->ca_file || *r->fingerprint) {
		import_note(im, "%s had a CA or fingerprint of its own: smtp_tls_CAfile and "
			    "smtp_tls_fingerprint_cert_match hold for all relays and may need it too", r->host);
	}
}

static void add_relayhost(struct import *im, const struct import_relay *list, size_t n)
{
	struct buf all;
	char key[400];

	buf_init(&all, sizeof(key) * IMPORT_RELAYS);
	for (size_t i = 0; i < n; i++) {
		import_key(&list[i], key, sizeof(key));
		buf_addf(&all, "%s%s", i ? ", " : "", key);
	}
	import_set(im, "relayhost", buf_str(&all));
	buf_free(&all);
}

void import_relays(struct import *im, const struct import_relay *list, size_t n)
{
	bool login = false, wrapped = false, plain = false;

	add_relayhost(im, list, n);
	for (size_t i = 0; i < n; i++) {
		login |= *list[i].user != 0;
		wrapped |= list[i].implicit_tls && strcmp(port_of(&list[i]), "465") != 0;
		plain |= !list[i].tls && !*list[i].user;
	}
	if (wrapped)
		import_set(im, "smtp_tls_wrappermode", "yes");
	if (login) {
		import_set(im, "smtp_sasl_auth_enable", "yes");
		import_set_map(im, "smtp_sasl_password_maps", "hash", "sasl_passwd");
	}
	if (plain && !login)
		import_set(im, "smtp_tls_security_level", "may");
	for (size_t i = 0; i < n; i++) {
		if (*list[i].user)
			add_login(im, &list[i]);
		add_trust(im, &list[i], i == 0);
	}
}

int import_lines(const char *path, void (*each)(void *, struct span), void *arg, struct error *err)
{
	struct span rest, line;
	struct buf text;
	int rc;

	buf_init(&text, LIMIT_CONF_FILE);
	rc = trust_read_file(path, &text, err);
	rest = (struct span){buf_str(&text), text.len};
	while (rc == 0 && span_word(&rest, "\n", &line)) {
		line = span_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			each(arg, line);
	}
	buf_wipe(&text);
	return rc;
}

void import_split(struct span line, const char *separators, struct span *name, struct span *value)
{
	size_t n = 0;

	while (n < line.n && !strchr(separators, line.p[n]))
		n++;
	*name = span_trim((struct span){line.p, n});
	*value = n < line.n ? span_trim((struct span){line.p + n + 1, line.n - n - 1}) : span_of("");
}

struct span import_unquote(struct span s, const char *quotes)
{
	if (s.n >= 2 && strchr(quotes, s.p[0]) && s.p[s.n - 1] == s.p[0])
		return (struct span){s.p + 1, s.n - 2};
	return s;
}

void import_copy(struct import *im, char *out, size_t size, struct span s)
{
	if (s.n >= size) {
		import_note(im, "\"%.*s...\" is too long and was cut", 20, s.p);
		s.n = size - 1;
	}
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
}

void import_store(struct import *im, const struct import_field *table, void *base, struct span name, struct span value)
{
	for (const struct import_field *f = table; f->name; f++) {
		if (!span_iscase(name, f->name))
			continue;
		if (f->size)
			import_copy(im, (char *)base + f->offset, f->size, value);
		else
			*(bool *)((char *)base + f->offset) = !span_iscase(value, "no") && !span_iscase(value, "off");
	}
}
