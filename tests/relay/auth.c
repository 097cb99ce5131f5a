/*
 * auth.c: the server's side of AUTH: libgsasl's mechanisms, and the two token mechanisms it does not have.
 * Nothing secret is written anywhere; what is counted is that a secret was shown.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/x509.h>

#include "base/limits.h"
#include "tests/relay/relay.h"

/* What a mechanism shows of the secret to whoever sits at the other end. */
bool auth_shows_secret(struct span mech)
{
	return span_iscase(mech, "PLAIN") || span_iscase(mech, "LOGIN") || span_iscase(mech, "XOAUTH2") ||
	       span_iscase(mech, "OAUTHBEARER");
}

static bool takes_token(const char *mech)
{
	return !strcmp(mech, "XOAUTH2") || !strcmp(mech, "OAUTHBEARER");
}

static bool is_plus(const char *mech)
{
	size_t n = strlen(mech);

	return n > 5 && !strcmp(mech + n - 5, "-PLUS");
}

static const struct user *find_user(const struct relay *r, const char *name, bool token)
{
	for (size_t i = 0; name && i < r->opt.nusers; i++)
		if (r->opt.users[i].token == token && !strcmp(r->opt.users[i].name, name))
			return &r->opt.users[i];
	return NULL;
}

/* ---- channel binding and client certificates */
static int give_binding(struct conn *c, Gsasl_session *s, Gsasl_property prop)
{
	bool tls13 = c->tls && gnutls_protocol_get_version(c->tls) == GNUTLS_TLS1_3;
	gnutls_datum_t cb;
	struct buf b64;
	int rc = GSASL_NO_CALLBACK;

	if (c->tls_state != TLS_ON || !is_plus(c->mech) || tls13 != (prop == GSASL_CB_TLS_EXPORTER))
		return rc;
	if (gnutls_session_channel_binding(c->tls, tls13 ? GNUTLS_CB_TLS_EXPORTER : GNUTLS_CB_TLS_UNIQUE,
					   &cb) < 0)
		return rc;
	buf_init(&b64, 1024);
	if (!base64_encode(&b64, cb.data, cb.size) && !gsasl_property_set(s, prop, buf_str(&b64)))
		rc = GSASL_OK;
	buf_free(&b64);
	gnutls_free(cb.data);
	return rc;
}

/* The name in the client's certificate: its common name, if the chain is good. */
static bool client_name(struct conn *c, char *out, size_t size)
{
	const gnutls_datum_t *raw;
	gnutls_x509_crt_t crt;
	unsigned status = 1, n = 0;
	bool ok = false;

	if (c->tls_state != TLS_ON || gnutls_certificate_verify_peers2(c->tls, &status) < 0 || status)
		return false;
	raw = gnutls_certificate_get_peers(c->tls, &n);
	if (!raw || !n || gnutls_x509_crt_init(&crt) < 0)
		return false;
	if (gnutls_x509_crt_import(crt, raw, GNUTLS_X509_FMT_DER) >= 0)
		ok = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &size) >= 0;
	gnutls_x509_crt_deinit(crt);
	return ok;
}

static int validate_simple(struct conn *c, Gsasl_session *s)
{
	const char *name = gsasl_property_fast(s, GSASL_AUTHID), *pass = gsasl_property_fast(s, GSASL_PASSWORD);
	const struct user *u = find_user(c->r, name, false);

	return u && pass && !strcmp(u->secret, pass) ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

static int validate_external(struct conn *c, Gsasl_session *s)
{
	char name[256];

	(void)s;
	if (!client_name(c, name, sizeof name))
		return GSASL_AUTHENTICATION_ERROR;
	snprintf(c->user, sizeof c->user, "%s", name);
	return GSASL_OK;
}

static int callback(Gsasl *ctx, Gsasl_session *s, Gsasl_property prop)
{
	struct conn *c = gsasl_session_hook_get(s);
	const struct user *u;
	char iter[24];

	(void)ctx;
	switch (prop) {
	case GSASL_PASSWORD:
		u = find_user(c->r, gsasl_property_fast(s, GSASL_AUTHID), false);
		return u ? gsasl_property_set(s, prop, u->secret) : GSASL_NO_PASSWORD;
	case GSASL_SCRAM_ITER:
		snprintf(iter, sizeof iter, "%llu", (unsigned long long)c->r->opt.scram_iterations);
		return gsasl_property_set(s, prop, iter);
	case GSASL_CB_TLS_UNIQUE:
	case GSASL_CB_TLS_EXPORTER:
		return give_binding(c, s, prop);
	case GSASL_VALIDATE_SIMPLE:
		return validate_simple(c, s);
	case GSASL_VALIDATE_EXTERNAL:
		return validate_external(c, s);
	default:
		return GSASL_NO_CALLBACK;
	}
}

int auth_init(struct relay *r)
{
	if (gsasl_init(&r->sasl) != GSASL_OK)
		return -1;
	gsasl_callback_set(r->sasl, callback);
	return 0;
}

/* ---- the exchange */
void auth_list(struct conn *c, struct buf *out)
{
	for (size_t i = 0; i < c->r->opt.nmechs; i++) {
		const char *m = c->r->opt.mechs[i];

		if (is_plus(m) && c->tls_state != TLS_ON)
			continue;
		buf_addf(out, " %s", m);
	}
}

void auth_end(struct conn *c)
{
	if (c->sasl)
		gsasl_finish(c->sasl);
	c->sasl = NULL;
	c->mech = NULL;
	c->sasl_done = c->token_failed = false;
	if (c->mode == MODE_AUTH)
		c->mode = MODE_COMMAND;
}

static void succeed(struct conn *c)
{
	const char *name = c->sasl ? gsasl_property_fast(c->sasl, GSASL_AUTHID) : NULL;

	if (name)
		snprintf(c->user, sizeof c->user, "%s", name);
	c->authed = true;
	c->r->n.auth_ok++;
	auth_end(c);
	reply(c, "235 2.7.0 Authentication successful");
}

static void fail(struct conn *c)
{
	c->r->n.auth_failed++;
	auth_end(c);
	reply(c, "535 5.7.8 Error: authentication failed");
}

/* "r=NONCE,s=SALT,i=4096": --scram-claim puts another number there. */
static void claim(struct conn *c, struct buf *text)
{
	const char *iter = strstr(buf_str(text), ",i=");

	if (!c->r->opt.scram_claim || !iter || *buf_str(text) != 'r')
		return;
	buf_cut(text, (size_t)(iter - buf_str(text)));
	buf_addf(text, ",i=%llu", (unsigned long long)c->r->opt.scram_claim);
}

static void challenge(struct conn *c, const char *p, size_t n)
{
	struct buf b64, text;

	buf_init(&b64, 1u << 20);
	buf_init(&text, 1u << 20);
	buf_add(&text, p, n);
	claim(c, &text);
	base64_encode(&b64, buf_str(&text), text.len);
	buf_free(&text);
	c->mode = MODE_AUTH;
	reply(c, "334 %s", buf_str(&b64));
	buf_free(&b64);
}

/* A saslname's "=2C" and "=3D" (RFC 5801). */
static void take_saslname(char *name)
{
	char *to = name;

	for (const char *p = name; *p; p++) {
		bool escaped = !strncmp(p, "=2C", 3) || !strncmp(p, "=3D", 3);

		*to++ = escaped ? (p[1] == '2' ? ',' : '=') : *p;
		p += escaped ? 2 : 0;
	}
	*to = '\0';
}

/* "user=NAME^Aauth=Bearer TOKEN^A^A", or OAUTHBEARER's "n,a=NAME,^Ahost=...^Aauth=Bearer TOKEN^A^A". */
static bool token_fits(struct conn *c, const char *p)
{
	bool bearer = !strcmp(c->mech, "OAUTHBEARER");
	const char *name = strstr(p, bearer ? "a=" : "user="), *token = strstr(p, "auth=Bearer ");
	const struct user *u;
	size_t n;

	if (!name || !token)
		return false;
	name += bearer ? 2 : 5;
	n = strcspn(name, bearer ? ",\001" : "\001");
	if (n >= sizeof c->user)
		return false;
	memcpy(c->user, name, n);
	c->user[n] = '\0';
	if (bearer)
		take_saslname(c->user);
	u = find_user(c->r, c->user, true);
	token += 12;
	n = strcspn(token, "\001");
	return u && strlen(u->secret) == n && !memcmp(u->secret, token, n);
}

static void token_step(struct conn *c, const char *p, size_t n, bool has)
{
	static const char why[] = "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}";

	if (c->token_failed) {
		fail(c);
	} else if (!has) {
		challenge(c, "", 0);
	} else if (n && token_fits(c, p)) {
		succeed(c);
	} else {
		c->token_failed = true;
		challenge(c, why, sizeof why - 1);
	}
}

/* libgsasl's LOGIN wants to speak first. */
static void sasl_step(struct conn *c, const char *p, size_t n, bool has)
{
	char *out = NULL;
	size_t outn = 0;
	int rc;

	if (c->sasl_done) {
		succeed(c);
		return;
	}
	if (has && !strcmp(c->mech, "LOGIN") && c->mode != MODE_AUTH) {
		rc = gsasl_step(c->sasl, NULL, 0, &out, &outn);
		gsasl_free(out);
		out = NULL;
	}
	rc = gsasl_step(c->sasl, has ? p : NULL, n, &out, &outn);
	if (rc == GSASL_NEEDS_MORE || (rc == GSASL_OK && outn)) {
		c->sasl_done = rc == GSASL_OK;
		challenge(c, out, outn);
	} else if (rc == GSASL_OK) {
		succeed(c);
	} else {
		note(c, "sasl:", gsasl_strerror(rc), strlen(gsasl_strerror(rc)));
		fail(c);
	}
	gsasl_free(out);
}

static void feed(struct conn *c, struct span b64, bool has)
{
	struct buf raw;

	buf_init(&raw, 1u << 20);
	if (has && span_is(b64, "*")) {
		auth_end(c);
		reply(c, "501 5.7.0 Authentication cancelled");
	} else if (has && base64_decode(&raw, b64.p, b64.n)) {
		auth_end(c);
		reply(c, "501 5.5.2 Cannot decode");
	} else if (takes_token(c->mech)) {
		token_step(c, buf_str(&raw), raw.len, has);
	} else {
		sasl_step(c, buf_str(&raw), raw.len, has);
	}
	buf_wipe(&raw);
}

static const char *offered(const struct conn *c, struct span mech)
{
	for (size_t i = 0; i < c->r->opt.nmechs; i++)
		if (span_iscase(mech, c->r->opt.mechs[i]))
			return c->r->opt.mechs[i];
	return NULL;
}

void auth_start(struct conn *c, struct span mech, struct span initial, bool has)
{
	auth_end(c);
	c->mech = offered(c, mech);
	if (!c->mech) {
		reply(c, "504 5.5.4 Mechanism not supported");
		return;
	}
	if (!takes_token(c->mech)) {
		if (gsasl_server_start(c->r->sasl, c->mech, &c->sasl) != GSASL_OK) {
			auth_end(c);
			reply(c, "454 4.7.0 Mechanism cannot be started");
			return;
		}
		gsasl_session_hook_set(c->sasl, c);
	}
	if (has && span_is(initial, "="))
		initial.n = 0;
	feed(c, initial, has);
}

void auth_line(struct conn *c, struct span line)
{
	if (!c->mech) {		/* a dialogue asked, and nothing stands behind it */
		fail(c);
		return;
	}
	feed(c, line, true);
}
