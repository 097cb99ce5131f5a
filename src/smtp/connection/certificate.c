#include "config.h"
#include "smtp/connection/certificate.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- names */

void cert_names(gnutls_x509_crt_t leaf, struct cert_names *out)
{
	out->n = 0;
	for (unsigned i = 0; out->n < CERT_NAMES; i++) {
		size_t len = sizeof(out->name[0].value) - 1;
		int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, out->name[out->n].value, &len, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_IPADDRESS)
			continue;	/* other kinds, and names too long for DNS */
		out->name[out->n].address = type == GNUTLS_SAN_IPADDRESS;
		out->name[out->n].len = len;
		out->n++;
	}
}

static void print_name(const struct cert_names *names, size_t i, struct buf *out)
{
	char text[64];
	int family = names->name[i].len == 16 ? AF_INET6 : AF_INET;

	if (!names->name[i].address)
		text_printable(out, names->name[i].value, names->name[i].len, 80);
	else if ((names->name[i].len == 4 || names->name[i].len == 16) &&
		 inet_ntop(family, names->name[i].value, text, sizeof(text)))
		buf_adds(out, text);
}

void cert_names_print(const struct cert_names *names, char *out, size_t size)
{
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < names->n && b.len + 90 < size; i++) {
		if (i)
			buf_adds(&b, ", ");
		print_name(names, i, &b);
	}
	if (i < names->n)
		buf_addf(&b, " and %zu more", names->n - i);
	snprintf(out, size, "%s", buf_str(&b));
	buf_free(&b);
}

static struct span without_dot(struct span s)
{
	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

bool cert_name_matches(struct span san, const char *host)
{
	struct span h = without_dot(span_of(host));
	const char *dot;

	if (!h.n || !san.n || memchr(san.p, '\0', san.n))
		return false;
	if (san.n == h.n && strncasecmp(san.p, h.p, h.n) == 0)
		return true;
	/* "*." and at least two labels stand for one whole label of host. */
	if (san.n < 5 || san.p[0] != '*' || san.p[1] != '.' || !memchr(san.p + 2, '.', san.n - 2) ||
	    memchr(san.p + 1, '*', san.n - 1))
		return false;
	dot = memchr(h.p, '.', h.n);
	if (!dot || dot == h.p)
		return false;
	return h.n - (size_t)(dot - h.p) == san.n - 1 && strncasecmp(dot, san.p + 1, san.n - 1) == 0;
}

bool cert_name_below(struct span san, const char *host)
{
	struct span h = without_dot(span_of(host));

	if (!h.n || memchr(san.p, '\0', san.n) || san.n < h.n + 2)
		return false;
	return san.p[san.n - h.n - 1] == '.' && strncasecmp(san.p + san.n - h.n, h.p, h.n) == 0;
}

static bool address_bytes(const char *host, unsigned char *bytes, size_t *len)
{
	*len = 4;
	if (inet_pton(AF_INET, host, bytes) == 1)
		return true;
	*len = 16;
	return inet_pton(AF_INET6, host, bytes) == 1;
}

bool cert_has_name(const struct cert_names *names, const char *host, bool sub)
{
	unsigned char bytes[16];
	size_t len;
	bool address = address_bytes(host, bytes, &len);

	for (size_t i = 0; i < names->n; i++) {
		struct span san = {names->name[i].value, names->name[i].len};

		if (address != names->name[i].address)
			continue;
		if (address ? !sub && san.n == len && memcmp(san.p, bytes, len) == 0
			    : sub ? cert_name_below(san, host) : cert_name_matches(san, host))
			return true;
	}
	return false;
}

/* ---- what it is */

static void print_dn(gnutls_x509_crt_t crt, int (*get)(gnutls_x509_crt_t crt, char *buf, size_t *size), char *out,
		     size_t size)
{
	char dn[512];
	size_t n = sizeof(dn);
	struct buf b;

	buf_init(&b, 600);
	if (get(crt, dn, &n) == 0)
		text_printable(&b, dn, strnlen(dn, sizeof(dn)), size - 4);
	snprintf(out, size, "%s", buf_str(&b));
	buf_free(&b);
}

void cert_subject(gnutls_x509_crt_t leaf, char *out, size_t size)
{
	print_dn(leaf, gnutls_x509_crt_get_dn, out, size);
}

void cert_date(int64_t seconds, char *out, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%d", &tm))
		snprintf(out, size, "an unknown date");
}

/* ---- fingerprints */

static gnutls_digest_algorithm_t digest_of(const char *name)
{
	gnutls_digest_algorithm_t d = name[0] ? gnutls_digest_get_id(name) : GNUTLS_DIG_SHA256;

	return d == GNUTLS_DIG_UNKNOWN ? GNUTLS_DIG_SHA256 : d;
}

static void hex(const unsigned char *p, size_t n, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < n && i * 3 + 3 < size; i++)
		snprintf(out + i * 3, size - i * 3, "%02X%s", p[i], i + 1 < n ? ":" : "");
}

void cert_fingerprint(gnutls_x509_crt_t leaf, const char *digest, char *out, size_t size)
{
	unsigned char bytes[64];
	size_t n = sizeof(bytes);

	out[0] = '\0';
	if (gnutls_x509_crt_get_fingerprint(leaf, digest_of(digest), bytes, &n) == 0)
		hex(bytes, n, out, size);
}

static void key_fingerprint(gnutls_x509_crt_t leaf, const char *digest, char *out, size_t size)
{
	gnutls_datum_t der = {0};
	unsigned char bytes[64];
	gnutls_pubkey_t key;

	out[0] = '\0';
	if (gnutls_pubkey_init(&key) < 0)
		return;
	if (gnutls_pubkey_import_x509(key, leaf, 0) == 0 &&
	    gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0 &&
	    gnutls_hash_fast(digest_of(digest), der.data, der.size, bytes) == 0)
		hex(bytes, gnutls_hash_get_len(digest_of(digest)), out, size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
}

/* Hexadecimal digits alone count: "AB:CD" is "abcd". */
static bool same_hex(struct span a, const char *b)
{
	size_t i = 0;

	for (;;) {
		while (i < a.n && a.p[i] == ':')
			i++;
		while (*b == ':')
			b++;
		if (i == a.n || !*b)
			return i == a.n && !*b;
		if (ascii_lower(a.p[i++]) != ascii_lower(*b++))
			return false;
	}
}

bool cert_pinned(gnutls_x509_crt_t leaf, const char *digest, const char *list)
{
	struct span rest = span_of(list), word;
	char whole[200], key[200];

	cert_fingerprint(leaf, digest, whole, sizeof(whole));
	key_fingerprint(leaf, digest, key, sizeof(key));
	while (span_word(&rest, " \t,|", &word))
		if ((whole[0] && same_hex(word, whole)) || (key[0] && same_hex(word, key)))
			return true;
	return false;
}

/* ---- why not */

struct chain {
	gnutls_x509_crt_t leaf;
	unsigned length;
	int authorities;
	bool self_signed;	/* the leaf */
	char issuer[200];
};

/* The leaf's own date is to blame when it lies on the wrong side of now. */
static void say_date(const struct chain *c, time_t date, bool own, const char *words, const char *above, char *out,
		     size_t size)
{
	char day[32];

	cert_date((int64_t)date, day, sizeof(day));
	if (own)
		snprintf(out, size, "its certificate %s %s", words, day);
	else
		snprintf(out, size, "a certificate above its own (issued by %s) %s", c->issuer, above);
}

static void say_expired(const struct chain *c, char *out, size_t size)
{
	time_t until = gnutls_x509_crt_get_expiration_time(c->leaf);

	say_date(c, until, until < time(NULL), "expired on", "has expired", out, size);
}

static void say_early(const struct chain *c, char *out, size_t size)
{
	time_t from = gnutls_x509_crt_get_activation_time(c->leaf);

	say_date(c, from, from > time(NULL), "is valid only from", "is not valid yet", out, size);
}

static void say_unknown(const struct chain *c, char *out, size_t size)
{
	if (!c->authorities)
		snprintf(out, size, "there is no trusted authority on this machine");
	else if (c->self_signed)
		snprintf(out, size, "its certificate is self-signed (%s), so nobody vouches for it", c->issuer);
	else
		snprintf(out, size, "its certificate was issued by %s, which is not trusted here%s", c->issuer,
			 c->length == 1 ? " (or the relay leaves out an intermediate certificate)" : "");
}

static void say_weak(const struct chain *c, char *out, size_t size)
{
	unsigned bits = 0;
	int algo = gnutls_x509_crt_get_pk_algorithm(c->leaf, &bits);

	snprintf(out, size, "its certificate, or one above it, is too weak (%s %u bits, signed with %s; at least RSA "
			    "2048 and SHA-256 are wanted)",
		 gnutls_pk_get_name((gnutls_pk_algorithm_t)algo), bits,
		 gnutls_sign_get_name((gnutls_sign_algorithm_t)gnutls_x509_crt_get_signature_algorithm(c->leaf)));
}

/* The first that applies is told. */
static const struct {
	unsigned flag;
	enum reason why;
	void (*tell)(const struct chain *c, char *out, size_t size);
	const char *words;
} reasons[] = {
	{GNUTLS_CERT_REVOKED, REASON_TLS_CERTIFICATE, NULL, "its certificate, or one above it, was revoked"},
	{GNUTLS_CERT_EXPIRED, REASON_TLS_EXPIRED, say_expired, NULL},
	{GNUTLS_CERT_NOT_ACTIVATED, REASON_TLS_NOT_YET_VALID, say_early, NULL},
	{GNUTLS_CERT_PURPOSE_MISMATCH, REASON_TLS_CERTIFICATE, NULL, "its certificate is not made for servers (key "
								     "purpose serverAuth is missing)"},
	{GNUTLS_CERT_SIGNER_NOT_FOUND, REASON_TLS_UNTRUSTED, say_unknown, NULL},
	{GNUTLS_CERT_INSECURE_ALGORITHM, REASON_TLS_CERTIFICATE, say_weak, NULL},
	{GNUTLS_CERT_SIGNER_NOT_CA, REASON_TLS_UNTRUSTED, NULL, "its certificate was signed by one that is no "
								"authority (CA:FALSE)"},
	{GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, REASON_TLS_CERTIFICATE, NULL,
	 "its issuer may not issue certificates for this name or purpose (constraints)"},
	{GNUTLS_CERT_SIGNATURE_FAILURE, REASON_TLS_CERTIFICATE, NULL, "the signature of its certificate is wrong"},
	{GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, REASON_TLS_CERTIFICATE, NULL,
	 "its certificate has a critical extension that is not understood"},
	{GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, REASON_TLS_CERTIFICATE, NULL,
	 "the revocation list (CRL) here is out of date"},
	{GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, REASON_TLS_CERTIFICATE, NULL,
	 "the revocation list (CRL) here is from the future"},
	{GNUTLS_CERT_MISSING_OCSP_STATUS, REASON_TLS_CERTIFICATE, NULL,
	 "its certificate demands an OCSP response that the relay did not send"},
	{GNUTLS_CERT_INVALID_OCSP_STATUS, REASON_TLS_CERTIFICATE, NULL, "the OCSP response it sent is invalid"},
};

enum reason cert_explain(gnutls_session_t session, gnutls_x509_crt_t leaf, unsigned status, int authorities,
			 char *out, size_t size)
{
	struct chain c = {.leaf = leaf, .authorities = authorities};

	gnutls_certificate_get_peers(session, &c.length);
	c.self_signed = gnutls_x509_crt_check_issuer(leaf, leaf) != 0;
	print_dn(leaf, gnutls_x509_crt_get_issuer_dn, c.issuer, sizeof(c.issuer));
	if (!c.issuer[0])
		snprintf(c.issuer, sizeof(c.issuer), "an unnamed authority");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!(status & reasons[i].flag))
			continue;
		if (reasons[i].tell)
			reasons[i].tell(&c, out, size);
		else
			snprintf(out, size, "%s", reasons[i].words);
		return reasons[i].why;
	}
	snprintf(out, size, "its certificate is invalid");
	return REASON_TLS_CERTIFICATE;
}

void cert_signature_words(gnutls_session_t s, char *out, size_t size)
{
	gnutls_sign_algorithm_t sign = (gnutls_sign_algorithm_t)gnutls_sign_algorithm_get(s);
	unsigned n = 0, bits = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(s, &n);
	gnutls_x509_crt_t leaf;

	if (!sign || !list || !n || gnutls_x509_crt_init(&leaf) < 0)
		return;
	if (gnutls_x509_crt_import(leaf, &list[0], GNUTLS_X509_FMT_DER) == 0) {
		gnutls_x509_crt_get_pk_algorithm(leaf, &bits);
		snprintf(out, size, " server-signature %s (%u bits) server-digest %s",
			 gnutls_pk_get_name(gnutls_sign_get_pk_algorithm(sign)), bits,
			 gnutls_digest_get_name(gnutls_sign_get_hash_algorithm(sign)));
	}
	gnutls_x509_crt_deinit(leaf);
}
