/*
 * What is worth a person's attention in a main.cf that nevertheless works.
 */
#include "config.h"
#include "nexthop/nexthop.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RELAYS = 16 };

static void advise(struct conf *c, enum conf_param p, struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void advise(struct conf *c, enum conf_param p, struct buf *out, const char *fmt, ...)
{
	va_list ap;

	buf_adds(out, conf_path(c));
	if (conf_line(c, p))
		buf_addf(out, ":%u", conf_line(c, p));
	buf_adds(out, ": ");
	va_start(ap, fmt);
	buf_addv(out, fmt, ap);
	va_end(ap);
	buf_addc(out, '\n');
}

/* Both mistakes are common; neither does harm here. */
static void about_wrappermode(struct conf *c, const struct relayhost *r, struct buf *out)
{
	bool wrapped = conf_bool(c, P_smtp_tls_wrappermode);

	if (strcmp(r->port, "465") == 0 && !wrapped && conf_is_set(c, P_smtp_tls_wrappermode))
		advise(c, P_smtp_tls_wrappermode, out,
		       "smtp_tls_wrappermode = no with port 465: this port speaks TLS from the first byte, and outpost "
		       "does so");
	if (strcmp(r->port, "587") == 0 && wrapped)
		advise(c, P_smtp_tls_wrappermode, out,
		       "smtp_tls_wrappermode = yes with port 587: this port begins with STARTTLS, and outpost does so; "
		       "remove the line");
}

static bool names_port(const char *written)
{
	const char *bracket = strchr(written, ']');

	return strchr(bracket ? bracket : written, ':') != NULL;
}

static void about_relays(struct conf *c, struct buf *out)
{
	struct relayhost relays[MAX_RELAYS];
	struct error err;
	int n = relayhost_list(c, relays, MAX_RELAYS, &err);

	for (const struct relayhost *r = relays; r < relays + (n > 0 ? n : 0); r++) {
		about_wrappermode(c, r, out);
		if (r->mx)
			advise(c, P_relayhost, out,
			       "relayhost = %s has no brackets, so its MX records are looked up; if %s is "
			       "the server itself write [%s]:%s",
			       r->written, r->host, r->host, r->port);
		if (!names_port(r->written))
			advise(c, P_relayhost, out, "relayhost = %s names no port: %s is used (Postfix would use 25)",
			       r->written, r->port);
	}
}

static void about_passwords(struct conf *c, struct buf *out)
{
	bool maps = *conf_str(c, P_smtp_sasl_password_maps) != '\0';
	const char *raw = conf_raw(c, P_smtp_sasl_password_maps);

	if (maps && !conf_bool(c, P_smtp_sasl_auth_enable))
		advise(c, P_smtp_sasl_password_maps, out,
		       "smtp_sasl_password_maps is set, but smtp_sasl_auth_enable is not yes: no password is sent");
	if (strstr(raw, "static:") && strchr(strstr(raw, "static:"), '$') && !strstr(raw, "$$"))
		advise(c, P_smtp_sasl_password_maps, out,
		       "a $ in the value of static: begins a parameter's name; a dollar sign in a password is written "
		       "$$");
	if (conf_bool(c, P_smtp_sasl_auth_unverified))
		advise(c, P_smtp_sasl_auth_unverified, out,
		       "smtp_sasl_auth_unverified = yes: whoever stands between here and the relay can take the "
		       "password");
	if (conf_bool(c, P_smtp_sasl_auth_without_tls))
		advise(c, P_smtp_sasl_auth_without_tls, out,
		       "smtp_sasl_auth_without_tls = yes: the password may travel where everybody can read it");
}

static void about_file(struct conf *c, enum conf_param p, struct buf *out)
{
	const char *path = conf_str(c, p);

	if (*path && access(path, F_OK) < 0)
		advise(c, p, out, "%s = %s: there is no such file", conf_table[p].name, path);
}

static void about_listening(struct conf *c, struct buf *out)
{
	const char *v = conf_str(c, P_inet_interfaces);

	if (*v && !ascii_case_equal(v, "none") && !ascii_case_equal(v, "loopback-only"))
		advise(c, P_inet_interfaces, out,
		       "inet_interfaces: outpost never listens beyond this host; taken as none (for SMTP on "
		       "127.0.0.1:25 write inet_interfaces = loopback-only)");
}

int nexthop_advice(struct conf *c, struct buf *out)
{
	buf_adds(out, conf_notes(c));
	about_relays(c, out);
	about_passwords(c, out);
	about_file(c, P_smtp_tls_CRLfile, out);
	about_file(c, P_smtp_tls_cert_file, out);
	about_file(c, P_smtp_tls_key_file, out);
	about_listening(c, out);
	return buf_ok(out) ? 0 : -1;
}
