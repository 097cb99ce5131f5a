#include "config.h"
#include "smtp/connection/tls.h"
#include "base/limits.h"
#include "smtp/agent.h"
#include "smtp/connection/certificate.h"
#include "smtp/connection/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { EXPIRES_SOON = 14 * 86400, DH_BITS = 2048, DH_BITS_UNVERIFIED = 1008 };

/* ---- what is trusted */

bool tls_required(const struct delivery_session *s)
{
	return tls_level_requires_tls(s->tls_level);
}

static bool login_wants_proof(const struct delivery_session *s)
{
	return s->auth && !s->auth_unverified;
}

/* Weak keys and signatures make a certificate untrusted at every level (load_priority): it is refused where the relay
 * is verified, and warned about elsewhere. */
static bool wants_strength(const struct delivery_session *s)
{
	return s->tls_level == TLS_VERIFY || s->tls_level == TLS_SECURE || login_wants_proof(s);
}

/* A file that is no use: its parameter, and what is wrong; `words` where it can be read, and its contents are no
 * good. */
static int no_use(struct error *err, enum reason why, const char *param, const char *path, const char *words)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		words = strerror(errno);
	else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		words = strerror(EISDIR);
	if (fd >= 0)
		close(fd);
	return error_set(err, why, "%s = %s: %s", param, path, words);
}

/* GnuTLS finds nothing in a directory that is not there, and says no more. */
static int load_directory(struct trust *t, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return error_set(err, REASON_TLS_CA_FILE, "smtp_tls_CApath = %s: %s", path, strerror(errno));
	close(fd);
	rc = gnutls_certificate_set_x509_trust_dir(t->cred, path, GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return error_set(err, REASON_TLS_CA_FILE, "smtp_tls_CApath = %s: %s", path, gnutls_strerror(rc));
	t->authorities += rc;
	return 0;
}

static int load_authorities(struct trust *t, const struct delivery_session *s, struct error *err)
{
	int rc;

	if (s->cafile[0]) {
		rc = gnutls_certificate_set_x509_trust_file(t->cred, s->cafile, GNUTLS_X509_FMT_PEM);
		if (rc <= 0)
			return no_use(err, REASON_TLS_CA_FILE, "smtp_tls_CAfile", s->cafile,
				      rc ? gnutls_strerror(rc) : "no certificate in it");
		t->authorities += rc;
	}
	if (s->capath[0] && load_directory(t, s->capath, err) < 0)
		return -1;
	if ((!s->cafile[0] && !s->capath[0]) || s->append_default_ca) {
		rc = gnutls_certificate_set_x509_system_trust(t->cred);
		t->authorities += rc > 0 ? rc : 0;
	}
	return 0;
}

static int load_crl(struct trust *t, const struct delivery_session *s, struct error *err)
{
	if (!s->crlfile[0] || gnutls_certificate_set_x509_crl_file(t->cred, s->crlfile, GNUTLS_X509_FMT_PEM) > 0)
		return 0;
	return no_use(err, REASON_TLS_CONFIG, "smtp_tls_CRLfile", s->crlfile,
		      "no revocation list in it (PEM is wanted)");
}

static bool holds(const char *path, const char *mark)
{
	gnutls_datum_t text = {0};
	bool found = gnutls_load_file(path, &text) == 0 && memmem(text.data, text.size, mark, strlen(mark));

	if (text.data)
		explicit_bzero(text.data, text.size);
	gnutls_free(text.data);
	return found;
}

static int load_own(struct trust *t, const struct delivery_session *s, struct error *err)
{
	const char *key = s->keyfile[0] ? s->keyfile : s->certfile;
	int rc = 0;

	if (s->certfile[0])
		rc = gnutls_certificate_set_x509_key_file2(t->cred, s->certfile, key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc >= 0)
		return 0;
	if (!holds(s->certfile, "CERTIFICATE-----"))
		return no_use(err, REASON_TLS_CONFIG, "smtp_tls_cert_file", s->certfile,
			      "no certificate in it (PEM is wanted)");
	if (!holds(key, "PRIVATE KEY-----"))
		return no_use(err, REASON_TLS_CONFIG, "smtp_tls_key_file", key, "no private key in it (PEM is wanted)");
	return no_use(err, REASON_TLS_CONFIG, "smtp_tls_key_file", key, rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ?
		      "not the key of the certificate in smtp_tls_cert_file" : gnutls_strerror(rc));
}

static int load_priority(struct trust *t, const struct delivery_session *s, struct error *err)
{
	char wanted[sizeof(s->priority) + 32];
	const char *at = wanted;
	int rc;

	/* Not gnutls_certificate_set_verify_flags: its profile is OR-ed with the priority's, to a third one. */
	snprintf(wanted, sizeof(wanted), "%s:%%PROFILE_MEDIUM", s->priority[0] ? s->priority : PRIORITY);
	rc = gnutls_priority_init(&t->priority, wanted, &at);
	if (rc < 0)
		return error_set(err, REASON_TLS_CONFIG, "TLS protocols and ciphers: \"%s\" is not understood (%s)", at,
				 gnutls_strerror(rc));
	return 0;
}

int trust_load(struct trust *t, const struct delivery_session *s, struct error *err)
{
	if (t->cred || (s->tls_level == TLS_NONE && !s->implicit_tls))
		return 0;
	if (gnutls_certificate_allocate_credentials(&t->cred) < 0)
		return error_set(err, REASON_SYSTEM, "out of memory for TLS");
	if (load_authorities(t, s, err) < 0 || load_crl(t, s, err) < 0 || load_own(t, s, err) < 0)
		return -1;
	return load_priority(t, s, err);
}

void trust_free(struct trust *t)
{
	if (t->cred)
		gnutls_certificate_free_credentials(t->cred);
	if (t->priority)
		gnutls_priority_deinit(t->priority);
	memset(t, 0, sizeof(*t));
}

/* ---- verification, inside the handshake */

/* The names this level takes: nexthop (as written as relayhost), dot-nexthop (below it: where MX were looked
 * up), hostname (the MX itself), or names and .domains written out. */
static bool match_word(const struct agent *a, const struct cert_names *names, struct span word)
{
	char literal[256];
	bool sub;

	if (span_iscase(word, "nexthop"))
		return cert_has_name(names, a->set.host, false);
	if (span_iscase(word, "dot-nexthop"))
		return a->set.mx && cert_has_name(names, a->set.host, true);
	if (span_iscase(word, "hostname"))
		return cert_has_name(names, a->ready.host, false);
	sub = word.n > 1 && word.p[0] == '.';
	if (word.n - sub >= sizeof(literal))
		return false;
	snprintf(literal, sizeof(literal), "%.*s", (int)(word.n - sub), word.p + sub);
	return cert_has_name(names, literal, sub);
}

/* A list without "hostname" never trusts a name that was learnt from DNS: that is what a password needs. */
static bool match_list(const struct agent *a, const struct cert_names *names, bool login)
{
	struct span rest = span_of(a->set.match[0] ? a->set.match : "nexthop, dot-nexthop"), word;

	while (span_word(&rest, ", \t:", &word)) {
		if (login && span_iscase(word, "hostname"))
			continue;
		if (match_word(a, names, word))
			return true;
	}
	return login && cert_has_name(names, a->set.host, false);
}

static const char *expected_names(const struct agent *a)
{
	static char text[700];

	if (!a->set.match[0] || strstr(a->set.match, "nexthop") || strcmp(a->set.match, "hostname") == 0)
		snprintf(text, sizeof(text), "%s", strcmp(a->set.match, "hostname") == 0 ? a->ready.host : a->set.host);
	else
		snprintf(text, sizeof(text), "%.600s", a->set.match);
	return text;
}

static void look_at_names(struct agent *a, gnutls_x509_crt_t leaf)
{
	struct cert_names names;

	cert_names(leaf, &names);
	cert_names_print(&names, a->cert.names, sizeof(a->cert.names));
	snprintf(a->cert.name, sizeof(a->cert.name), "%.*s", (int)strcspn(a->cert.names, ", "), a->cert.names);
	a->cert.named = match_list(a, &names, false);
	a->cert.named_login = match_list(a, &names, true);
	if (a->cert.named && (a->cert.named_login || !login_wants_proof(&a->set)))
		return;
	snprintf(a->cert.name_problem, sizeof(a->cert.name_problem), "certificate is for %.250s, not %.120s",
		 a->cert.names[0] ? a->cert.names : "no name at all (it has no subjectAltName)",
		 a->cert.named ? a->set.host : expected_names(a));
}

static void look_at_chain(struct agent *a, gnutls_session_t session, gnutls_x509_crt_t leaf)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER};
	unsigned status = 0;
	int rc = gnutls_certificate_verify_peers(session, &purpose, 1, &status);

	a->cert.trusted = rc == 0 && status == 0;
	if (a->cert.trusted)
		return;
	a->cert.why = REASON_TLS_CERTIFICATE;
	if (rc < 0)
		snprintf(a->cert.chain_problem, sizeof(a->cert.chain_problem), "its certificate cannot be checked: %s",
			 gnutls_strerror(rc));
	else
		a->cert.why = cert_explain(session, leaf, status, a->trust.authorities, a->cert.chain_problem,
					   sizeof(a->cert.chain_problem));
}

static void look_at_certificate(struct agent *a, gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t leaf;

	memset(&a->cert, 0, sizeof(a->cert));
	if (!list || !n || gnutls_x509_crt_init(&leaf) < 0)
		return;
	if (gnutls_x509_crt_import(leaf, &list[0], GNUTLS_X509_FMT_DER) == 0) {
		a->cert.shown = true;
		a->cert.expires = (int64_t)gnutls_x509_crt_get_expiration_time(leaf);
		cert_subject(leaf, a->cert.subject, sizeof(a->cert.subject));
		cert_fingerprint(leaf, a->set.fingerprint_digest, a->cert.fingerprint, sizeof(a->cert.fingerprint));
		a->cert.pinned = cert_pinned(leaf, a->set.fingerprint_digest, a->set.fingerprints);
		look_at_chain(a, session, leaf);
		look_at_names(a, leaf);
	}
	gnutls_x509_crt_deinit(leaf);
}

static bool verified_for_message(const struct agent *a)
{
	if (a->set.tls_level == TLS_FINGERPRINT)
		return a->cert.pinned;
	return a->cert.trusted && a->cert.named;
}

static bool verified_for_login(const struct agent *a)
{
	if (a->set.tls_level == TLS_FINGERPRINT)
		return a->cert.pinned;
	return a->cert.pinned || (a->cert.trusted && a->cert.named_login);
}

bool tls_login_verified(const struct agent *a)
{
	return a->ch.tls && verified_for_login(a);
}

bool tls_login_allowed(const struct agent *a)
{
	if (!a->ch.tls)
		return a->set.auth_without_tls;
	return a->set.auth_unverified || verified_for_login(a);
}

static bool good_enough(const struct agent *a)
{
	const struct delivery_session *s = &a->set;

	if ((s->tls_level == TLS_FINGERPRINT || s->tls_level == TLS_VERIFY || s->tls_level == TLS_SECURE) &&
	    !verified_for_message(a))
		return false;
	return !login_wants_proof(s) || verified_for_login(a);
}

static int verify(gnutls_session_t session)
{
	struct agent *a = gnutls_session_get_ptr(session);

	look_at_certificate(a, session);
	return good_enough(a) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* ---- words */

static enum reason why_unverified(const struct agent *a, char *out, size_t size)
{
	const struct peer_certificate *c = &a->cert;

	if (!c->shown) {
		snprintf(out, size, "it showed no certificate");
		return REASON_TLS_CERTIFICATE;
	}
	if (a->set.tls_level == TLS_FINGERPRINT) {
		snprintf(out, size, "its certificate's fingerprint is %s, not one of "
			 "smtp_tls_fingerprint_cert_match", c->fingerprint);
		return REASON_TLS_FINGERPRINT;
	}
	if (!c->chain_problem[0]) {
		snprintf(out, size, "%s", c->name_problem);
		return REASON_TLS_NAME_MISMATCH;
	}
	snprintf(out, size, "%s%s%s", c->chain_problem, c->name_problem[0] ? "; and the " : "", c->name_problem);
	return c->why;
}

/* What to write so that the mail goes: a wrong name is corrected in relayhost, missing trust in main.cf. */
static void remedy(const struct agent *a, char *out, size_t size)
{
	const struct peer_certificate *c = &a->cert;
	bool by_level = tls_required(&a->set) && a->set.tls_level != TLS_ENCRYPT;

	out[0] = '\0';
	if (a->set.tls_level == TLS_FINGERPRINT || !c->shown)
		return;
	if (c->name_problem[0] && !c->chain_problem[0])
		snprintf(out, size, "; write the relay in relayhost by a name that its certificate has%s",
			 by_level ? "" : ", or smtp_sasl_auth_unverified = yes to send the password all the same");
	else
		snprintf(out, size, "; if this is your relay: smtp_tls_CAfile = its CA, or smtp_tls_security_level = "
				    "fingerprint and "
			 "smtp_tls_fingerprint_cert_match = %s%s", c->fingerprint,
			 by_level ? "" : ", or smtp_sasl_auth_unverified = yes");
}

static int unverified(struct agent *a)
{
	char words[820], what[420];
	enum reason why = why_unverified(a, words, sizeof(words));

	remedy(a, what, sizeof(what));
	agent_down(a, why, "Server certificate of %s not verified: %.560s%s", agent_peer(a), words, what);
	snprintf(a->down.name, sizeof(a->down.name), "%s", a->cert.name);
	return -1;
}

/* Called before GnuTLS looks at the relay's hello: the version in it is gone once it is refused. */
static int see_version(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		       const gnutls_datum_t *hello)
{
	struct agent *a = gnutls_session_get_ptr(session);

	(void)type;
	(void)when;
	if (incoming && hello->size >= 2)
		a->hello_version = (uint16_t)(hello->data[0] << 8 | hello->data[1]);
	return 0;
}

static const char *old_version(const struct agent *a)
{
	static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2"};
	unsigned minor = a->hello_version & 0xff;

	return a->hello_version >> 8 == 3 && minor < sizeof(names) / sizeof(names[0]) ? names[minor] : NULL;
}

/* Two ways to say no: an old hello, which names the version; or an alert, which does not. */
static int too_old(struct agent *a)
{
	const char *version = old_version(a);

	if (!version)
		return agent_down(a, REASON_TLS_TOO_OLD, "TLS with %s failed: the relay takes none of the versions "
				  "that smtp_tls_protocols and smtp_tls_mandatory_protocols allow", agent_peer(a));
	return agent_down(a, REASON_TLS_TOO_OLD, "TLS with %s failed: the relay speaks nothing newer than %s, and "
			  "smtp_tls_protocols and smtp_tls_mandatory_protocols want newer", agent_peer(a), version);
}

static bool is_too_old(struct agent *a, gnutls_session_t session, int rc)
{
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return gnutls_alert_get(session) == GNUTLS_A_PROTOCOL_VERSION;
	return rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET && old_version(a);
}

/* An alert about the certificate that we showed, or did not. */
static enum reason refusal(gnutls_session_t session)
{
	switch (gnutls_alert_get(session)) {
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_REVOKED:
	case GNUTLS_A_CERTIFICATE_EXPIRED:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_CERTIFICATE_REQUIRED:
	case GNUTLS_A_UNKNOWN_CA:
	case GNUTLS_A_ACCESS_DENIED:
		return REASON_TLS_CLIENT_CERTIFICATE;
	default:
		return REASON_TLS_FAILED;
	}
}

bool tls_caused(enum reason why)
{
	switch (why) {
	case REASON_TLS_FAILED:
	case REASON_TLS_NOT_TLS:
	case REASON_TLS_TOO_OLD:
	case REASON_TLS_INJECTION:
	case REASON_TLS_CLIENT_CERTIFICATE:
		return true;
	default:
		return false;
	}
}

static int handshake_failed(struct agent *a, gnutls_session_t session, int rc)
{
	if (rc == GNUTLS_E_CERTIFICATE_ERROR || rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		return unverified(a);
	if (is_too_old(a, session, rc))
		return too_old(a);
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return agent_down(a, refusal(session), "TLS with %s failed: the relay refused it: %s", agent_peer(a),
				  gnutls_alert_get_name(gnutls_alert_get(session)));
	if (rc == GNUTLS_E_PREMATURE_TERMINATION || a->ch.eof)
		return agent_down(a, REASON_TLS_FAILED, "TLS with %s failed: the relay closed the connection",
				  agent_peer(a));
	if (rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET ||
	    rc == GNUTLS_E_UNEXPECTED_PACKET || rc == GNUTLS_E_RECORD_OVERFLOW)
		return agent_down(a, REASON_TLS_NOT_TLS, "TLS with %s failed: what the relay sent is not TLS",
				  agent_peer(a));
	if (rc == GNUTLS_E_DH_PRIME_UNACCEPTABLE)
		return agent_down(a, REASON_TLS_FAILED, "TLS with %s failed: its Diffie-Hellman group has fewer than "
				  "%d bits",
				  agent_peer(a), DH_BITS);
	return agent_down(a, REASON_TLS_FAILED, "TLS with %s failed: %s", agent_peer(a), gnutls_strerror(rc));
}

/* As Postfix prints it. */
static void summarize(struct agent *a, gnutls_session_t s)
{
	char *out = a->ready.tls_summary;
	size_t size = sizeof(a->ready.tls_summary);
	const char *suite, *group = gnutls_group_get_name(gnutls_group_get(s));
	int bits = (int)gnutls_cipher_get_key_size(gnutls_cipher_get(s)) * 8;
	char version[32];
	int n;

#if GNUTLS_VERSION_NUMBER >= 0x030704
	suite = gnutls_ciphersuite_get(s);
#else
	suite = gnutls_cipher_get_name(gnutls_cipher_get(s));
#endif
	snprintf(version, sizeof(version), "%s", gnutls_protocol_get_name(gnutls_protocol_get_version(s)));
	if (strncmp(version, "TLS", 3) == 0 && version[3] != 'v') {
		memmove(version + 4, version + 3, strlen(version + 3) + 1);
		version[3] = 'v';
	}
	n = snprintf(out, size, "%s with cipher %s (%d/%d bits) key-exchange %s", version, suite ? suite : "?", bits,
		     bits, group ? group : gnutls_kx_get_name(gnutls_kx_get(s)));
	cert_signature_words(s, out + n, size - (size_t)n);
}

static void warn(struct agent *a)
{
	int64_t left = a->cert.expires - clock_wall_us() / 1000000;
	char date[32];

	if (!a->cert.shown)
		return;
	cert_date(a->cert.expires, date, sizeof(date));
	if (left > 0 && left < EXPIRES_SOON)
		link_log(&a->link, LOG_WARN, "the certificate of %s expires on %s, in %d days", agent_peer(a), date,
			 (int)(left / 86400));
	if (!good_enough(a) || a->cert.trusted || a->set.tls_loglevel < 1)
		return;
	link_log(&a->link, LOG_INFORMATION, "%s is not verified: %s", agent_peer(a), a->cert.chain_problem);
}

static void report(struct agent *a)
{
	const char *how = !a->cert.shown      ? "Anonymous"
			  : a->ready.verified ? "Verified"
			  : a->cert.trusted   ? "Trusted"
					      : "Untrusted";

	if (a->set.tls_loglevel >= 1)
		link_log(&a->link, LOG_INFORMATION, "%s TLS connection established to %s:%u: %s", how, agent_peer(a),
			 a->ready.port, a->ready.tls_summary);
	if (a->set.tls_loglevel >= 2 && a->cert.shown)
		link_log(&a->link, LOG_INFORMATION, "%s:%u: subject=%s, names=%s, fingerprint=%s", agent_peer(a),
			 a->ready.port, a->cert.subject, a->cert.names, a->cert.fingerprint);
	warn(a);
}

/* ---- the handshake */

static gnutls_session_t new_session(struct agent *a)
{
	gnutls_session_t s;

	if (gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL) < 0)
		return NULL;
	if (gnutls_priority_set(s, a->trust.priority) < 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, a->trust.cred) < 0) {
		gnutls_deinit(s);
		return NULL;
	}
	gnutls_dh_set_prime_bits(s, wants_strength(&a->set) ? DH_BITS : DH_BITS_UNVERIFIED);
	if (!resolve_is_address(a->ready.host))
		gnutls_server_name_set(s, GNUTLS_NAME_DNS, a->ready.host, strlen(a->ready.host));
	gnutls_session_set_ptr(s, a);
	gnutls_session_set_verify_function(s, verify);
	gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_SERVER_HELLO, GNUTLS_HOOK_PRE, see_version);
	gnutls_transport_set_ptr(s, &a->ch);
	gnutls_transport_set_push_function(s, channel_push);
	gnutls_transport_set_pull_function(s, channel_pull);
	gnutls_handshake_set_timeout(s, 0);
	return s;
}

static int shake(struct agent *a, gnutls_session_t s)
{
	deadline until = deadline_in_ms((int64_t)a->set.t_starttls * 1000);
	int rc;

	while ((rc = gnutls_handshake(s)) < 0) {
		int waited;

		if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED && gnutls_error_is_fatal(rc)) {
			gnutls_alert_send_appropriate(s, rc);
			channel_flush(&a->ch);
			return handshake_failed(a, s, rc);
		}
		waited = rc == GNUTLS_E_AGAIN ? agent_wait(a, until) : 1;
		if (waited < 0)
			return -1;
		if (waited == 0 || deadline_over(until))	/* also where warnings come without end */
			return agent_down(a, REASON_TLS_FAILED, "TLS with %s timed out", agent_peer(a));
		if (a->ch.eof)
			return handshake_failed(a, s, GNUTLS_E_PREMATURE_TERMINATION);
	}
	return 0;
}

int tls_start(struct agent *a)
{
	gnutls_session_t s = a->trust.cred ? new_session(a) : NULL;

	if (!s)
		return agent_down(a, REASON_SYSTEM, "TLS cannot be set up: out of memory?");
	a->ch.tls = s;
	a->ch.shaking = true;
	a->hello_version = 0;
	if (shake(a, s) < 0)
		return -1;
	a->ch.shaking = false;
	a->ready.tls = true;
	a->ready.verified = verified_for_message(a) || verified_for_login(a);
	a->ready.cert_expires = a->cert.expires;
	summarize(a, s);
	report(a);
	return 0;
}
