#include "config.h"
#include "nexthop/tls_policy.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- protocols */

static const struct {
	const char *name;
	const char *number;
	const char *gnutls;	/* NULL: GnuTLS does not have it at all */
} versions[] = {
	{"SSLv2", "0002", NULL},	 {"SSLv3", "0300", NULL},	  {"TLSv1", "0301", "TLS1.0"},
	{"TLSv1.1", "0302", "TLS1.1"}, {"TLSv1.2", "0303", "TLS1.2"}, {"TLSv1.3", "0304", "TLS1.3"},
};
enum { NVERSIONS = sizeof(versions) / sizeof(versions[0]) };

static int version_of(struct span s)
{
	if (s.n > 2 && s.p[0] == '0' && ascii_lower(s.p[1]) == 'x')
		s = span_from(s, 2);
	if (span_iscase(s, "TLSv1.0"))
		return 2;
	for (int i = 0; i < NVERSIONS; i++)
		if (span_iscase(s, versions[i].name) || span_is(s, versions[i].number))
			return i;
	return -1;
}

struct protocols {
	int least, greatest;
	unsigned named, excluded;	/* bits */
};

static int take_protocol(struct span word, struct protocols *p, struct error *err)
{
	bool at_least = word.n > 2 && memcmp(word.p, ">=", 2) == 0;
	bool at_most = word.n > 2 && memcmp(word.p, "<=", 2) == 0;
	bool not = word.p[0] == '!';
	size_t skip = at_least || at_most ? 2 : not;
	int v = version_of(span_from(word, skip));

	if (v < 0)
		return error_set(err, REASON_TLS_CONFIG,
				 "there is no protocol %.*s; known are SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3",
				 (int)(word.n > 40 ? 40 : word.n), word.p);
	if (at_least)
		p->least = v;
	else if (at_most)
		p->greatest = v;
	else if (not)
		p->excluded |= 1u << v;
	else
		p->named |= 1u << v;
	return 0;
}

static int add_protocols(const char *text, struct buf *out, struct error *err)
{
	struct protocols p = {.least = 0, .greatest = NVERSIONS - 1};
	struct span rest = span_of(text), word;
	int n = 0;

	while (span_word(&rest, ", \t\r\n:;", &word))
		if (take_protocol(word, &p, err) < 0)
			return -1;
	buf_adds(out, "NORMAL:-VERS-ALL");
	for (int v = NVERSIONS - 1; v >= 0; v--) {
		bool wanted =
			v >= p.least && v <= p.greatest && !(p.excluded & 1u << v) && (!p.named || (p.named & 1u << v));

		if (!wanted || !versions[v].gnutls)
			continue;
		buf_addf(out, ":+VERS-%s", versions[v].gnutls);
		n++;
	}
	if (!n)
		return error_set(err, REASON_TLS_CONFIG, "no version of TLS is left by: %.100s", text);
	return 0;
}

/* ---- ciphers */

/* OpenSSL's names, and what excludes them in GnuTLS; "" where GnuTLS's NORMAL has nothing of the kind. */
static const struct {
	const char *openssl, *gnutls;
} exclusions[] = {
	{"eNULL NULL EXPORT EXP EXPORT40 EXPORT56 LOW MEDIUM SSLv2 DES DES-CBC-SHA IDEA SEED RC2 ARIA PSK kPSK SRP "
	 "kSRP "
	 "kRB5 KRB5 KRB5-DES kECDH kECDHr kECDHe ECDH kDH kDHr kDHd RC4 RC4-MD5 RC4-SHA MD5 DES-CBC3-MD5",
	 ""},
	{"aNULL", "-ANON-DH:-ANON-ECDH"},
	{"ADH", "-ANON-DH"},
	{"AECDH", "-ANON-ECDH"},
	{"DSS aDSS", "-DHE-DSS"},
	{"3DES DES-CBC3-SHA CBC3-SHA EDH-RSA-DES-CBC3-SHA", "-3DES-CBC"},
	{"CAMELLIA", "-CAMELLIA-128-CBC:-CAMELLIA-256-CBC:-CAMELLIA-128-GCM:-CAMELLIA-256-GCM"},
	{"CAMELLIA128", "-CAMELLIA-128-CBC:-CAMELLIA-128-GCM"},
	{"CAMELLIA256", "-CAMELLIA-256-CBC:-CAMELLIA-256-GCM"},
	{"AES", "-AES-128-CBC:-AES-256-CBC:-AES-128-GCM:-AES-256-GCM:"
		"-AES-128-CCM:-AES-256-CCM:-AES-128-CCM-8:-AES-256-CCM-8"},
	{"AES128", "-AES-128-CBC:-AES-128-GCM:-AES-128-CCM:-AES-128-CCM-8"},
	{"AES256", "-AES-256-CBC:-AES-256-GCM:-AES-256-CCM:-AES-256-CCM-8"},
	{"AESGCM", "-AES-128-GCM:-AES-256-GCM"},
	{"AESCCM8", "-AES-128-CCM-8:-AES-256-CCM-8"},
	{"AESCCM", "-AES-128-CCM:-AES-256-CCM:-AES-128-CCM-8:-AES-256-CCM-8"},
	{"CHACHA20", "-CHACHA20-POLY1305"},
	{"SHA1 SHA", "-SHA1"},
	{"SHA256", "-SHA256"},
	{"SHA384", "-SHA384"},
	{"kRSA RSA", "-RSA"},
	{"aRSA", "-RSA:-DHE-RSA:-ECDHE-RSA"},
	{"DH kDHE kEDH DHE EDH", "-DHE-RSA:-DHE-DSS"},
	{"kECDHE kEECDH ECDHE EECDH", "-ECDHE-RSA:-ECDHE-ECDSA"},
	{"aECDSA ECDSA", "-ECDHE-ECDSA"},
};

static void exclude_one(struct span word, struct buf *out, struct buf *notes)
{
	while (word.n && (word.p[0] == '!' || word.p[0] == '-'))
		word = span_from(word, 1);
	for (size_t i = 0; i < sizeof(exclusions) / sizeof(exclusions[0]); i++) {
		if (!list_names(exclusions[i].openssl, word))
			continue;
		if (*exclusions[i].gnutls)
			buf_addf(out, ":%s", exclusions[i].gnutls);
		return;
	}
	buf_adds(notes, "TLS: the cipher exclusion ");
	text_printable(notes, word.p, word.n, 60);
	buf_adds(notes, " can't be expressed in GnuTLS and has no effect\n");
}

static void apply_grade(const char *grade, struct buf *notes)
{
	if (!*grade || ascii_case_equal(grade, "medium") || ascii_case_equal(grade, "high"))
		return;
	buf_addf(notes, "TLS: ciphers of grade %.20s do not exist in GnuTLS; medium is used\n", grade);
}

int tls_priority(const char *protocols, const char *grade, const char *exclude, struct buf *out, struct buf *notes,
		 struct error *err)
{
	struct span rest = span_of(exclude), word;

	if (add_protocols(protocols, out, err) < 0)
		return -1;
	apply_grade(grade, notes);
	while (span_word(&rest, ", \t\r\n:;", &word))
		exclude_one(word, out, notes);
	return buf_ok(out) ? 0 : error_set(err, REASON_TLS_CONFIG, "the list of excluded ciphers is too long");
}

/* ---- the policy for one relay */

enum attribute { MATCH, PROTOCOLS, CIPHERS, EXCLUDE, ATTRIBUTES };

static const char *const attribute_names[ATTRIBUTES] = {
	[MATCH] = "match", [PROTOCOLS] = "protocols", [CIPHERS] = "ciphers", [EXCLUDE] = "exclude",
};

struct policy {
	enum tls_level level;
	struct buf attributes[ATTRIBUTES];	/* values, blank separated */
};

/* What the policy's map says, or else main.cf. */
static const char *attribute(const struct policy *p, enum attribute a, const char *otherwise)
{
	return p->attributes[a].len ? buf_str(&p->attributes[a]) : otherwise;
}

static bool parse_level(struct span word, enum tls_level *level)
{
	static const struct {
		const char *name;
		enum tls_level level;
	} levels[] = {
		{"none", TLS_NONE}, {"may", TLS_MAY}, {"encrypt", TLS_ENCRYPT}, {"fingerprint", TLS_FINGERPRINT},
		{"verify", TLS_VERIFY}, {"secure", TLS_SECURE}, {"dane", TLS_SECURE}, {"dane-only", TLS_SECURE},
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (span_iscase(word, levels[i].name)) {
			*level = levels[i].level;
			return true;
		}
	return false;
}

/* The old smtp_use_tls counts only when the level is not set; yes is the default level, whatever Postfix took it
 * for. */
static enum tls_level level_of_main(struct conf *c)
{
	bool set = conf_is_set(c, P_smtp_tls_security_level);
	enum tls_level level = TLS_SECURE;

	if (set && parse_level(span_of(conf_str(c, P_smtp_tls_security_level)), &level))
		return level;
	if (!conf_bool(c, P_smtp_use_tls) && !conf_bool(c, P_smtp_enforce_tls))
		return TLS_NONE;
	parse_level(span_of(conf_table[P_smtp_tls_security_level].def), &level);
	return level;
}

static int bad_policy(const char *key, const char *words, struct error *err)
{
	return error_set(err, REASON_TLS_CONFIG, "smtp_tls_policy_maps: %s: %s", key, words);
}

static int take_attribute(struct span word, struct policy *p, const char *key, struct buf *notes, struct error *err)
{
	struct span name, value;

	if (!span_cut(word, '=', &name, &value))
		return bad_policy(key, "name=value is wanted behind the level", err);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (span_iscase(name, attribute_names[i])) {
			buf_adds(&p->attributes[i], p->attributes[i].len ? " " : "");
			buf_add(&p->attributes[i], value.p, value.n);
			return 0;
		}
	buf_addf(notes, "TLS: smtp_tls_policy_maps: %s: the attribute %.*s has no effect here\n", key,
		 (int)(name.n > 40 ? 40 : name.n), name.p);
	return 0;
}

static int parse_policy(const char *text, struct policy *p, const char *key, struct buf *notes, struct error *err)
{
	struct span rest = span_of(text), word;

	if (!span_word(&rest, ", \t\r\n", &word) || !parse_level(word, &p->level))
		return bad_policy(key, "a level is wanted: none may encrypt fingerprint verify secure", err);
	while (span_word(&rest, ", \t\r\n", &word))
		if (take_attribute(word, p, key, notes, err) < 0)
			return -1;
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (!buf_ok(&p->attributes[i]))
			return bad_policy(key, "an attribute is too long", err);
	return 0;
}

enum { KEY_SIZE = 600 };

/* As written, in the other spellings, and then the domains above it (".example.com"). 1: found. */
static int find_policy(struct maps *maps, const struct relayhost *r, char key[KEY_SIZE], struct buf *value,
		       struct error *err)
{
	char forms[5][KEY_SIZE];
	int rc = 0;

	snprintf(forms[0], sizeof(forms[0]), "%s", r->written);
	snprintf(forms[1], sizeof(forms[1]), "[%s]:%s", r->host, r->port);
	snprintf(forms[2], sizeof(forms[2]), "[%s]", r->host);
	snprintf(forms[3], sizeof(forms[3]), "%s:%s", r->host, r->port);
	snprintf(forms[4], sizeof(forms[4]), "%s", r->host);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && rc == 0; i++) {
		memcpy(key, forms[i], KEY_SIZE);
		rc = maps_get(maps, key, value, err);
	}
	for (const char *dot = strchr(r->host, '.'); dot && rc == 0; dot = strchr(dot + 1, '.')) {
		snprintf(key, KEY_SIZE, "%s", dot);
		rc = maps_get(maps, key, value, err);
	}
	return rc;
}

static int policy_of_map(struct conf *c, const struct relayhost *r, struct policy *p, struct buf *notes,
			 struct error *err)
{
	struct maps *maps = NULL;
	struct buf value;
	char key[KEY_SIZE];
	int rc;

	if (maps_open(conf_map_list(c, P_smtp_tls_policy_maps), &maps, err) < 0)
		return -1;
	if (!maps)
		return 0;
	buf_init(&value, LIMIT_CONF_FILE);
	rc = find_policy(maps, r, key, &value, err);
	if (rc > 0)
		rc = parse_policy(buf_str(&value), p, key, notes, err);
	buf_free(&value);
	maps_free(maps);
	return rc;
}

/* "a:b|c, d" to "a b c d"; colons part names, but not the bytes of a fingerprint. */
static int put_words(const char *text, const char *seps, char *out, size_t size, struct error *err)
{
	struct span rest = span_of(text), word;
	size_t n = 0;

	out[0] = '\0';
	while (span_word(&rest, seps, &word)) {
		if (n + word.n + 2 >= size)
			return error_set(err, REASON_TLS_CONFIG,
					 "a list of names or fingerprints to match is longer than %zu bytes", size - 2);
		n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? " " : "", (int)word.n, word.p);
	}
	return 0;
}

static int fill_match(struct conf *c, const struct policy *p, struct delivery_session *out, struct error *err)
{
	bool verify = out->tls_level == TLS_VERIFY;
	const char *match = conf_str(c, verify ? P_smtp_tls_verify_cert_match : P_smtp_tls_secure_cert_match);
	const char *fingerprints = conf_str(c, P_smtp_tls_fingerprint_cert_match);

	if (out->tls_level == TLS_FINGERPRINT)
		fingerprints = attribute(p, MATCH, fingerprints);
	if (put_words(fingerprints, ", \t\r\n|", out->fingerprints, sizeof(out->fingerprints), err) < 0)
		return -1;
	if (out->tls_level == TLS_FINGERPRINT)
		return 0;
	return put_words(attribute(p, MATCH, match), ", \t\r\n:|", out->match, sizeof(out->match), err);
}

static int fill_priority(struct conf *c, const struct policy *p, struct delivery_session *out, struct buf *notes,
			 struct error *err)
{
	bool mandatory = tls_level_requires_tls(out->tls_level);
	const char *protocols = conf_str(c, mandatory ? P_smtp_tls_mandatory_protocols : P_smtp_tls_protocols);
	const char *grade = conf_str(c, mandatory ? P_smtp_tls_mandatory_ciphers : P_smtp_tls_ciphers);
	struct buf exclude, priority;
	int rc;

	buf_init(&exclude, 4096);
	buf_init(&priority, sizeof(out->priority) - 1);
	buf_addf(&exclude, "%s %s", conf_str(c, P_smtp_tls_exclude_ciphers),
		 mandatory ? conf_str(c, P_smtp_tls_mandatory_exclude_ciphers) : "");
	rc = tls_priority(attribute(p, PROTOCOLS, protocols), attribute(p, CIPHERS, grade),
			  attribute(p, EXCLUDE, buf_str(&exclude)), &priority, notes, err);
	if (rc == 0)
		snprintf(out->priority, sizeof(out->priority), "%s", buf_str(&priority));
	else
		error_prefix(err, "%s",
			     conf_table[mandatory ? P_smtp_tls_mandatory_protocols : P_smtp_tls_protocols].name);
	buf_free(&exclude);
	buf_free(&priority);
	return rc;
}

/* Where distributions keep the CAs that everybody trusts: a tutorial's path that does not exist here means just these.
 */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/certs/ca-bundle.crt",
	"/etc/pki/tls/cert.pem",
	"/etc/ssl/cert.pem",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/certs/Equifax_Secure_CA.pem",
	"/etc/ssl/certs/Thawte_Premium_Server_CA.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/usr/share/ssl/certs/ca-bundle.crt",
	"/usr/local/etc/openssl/cert.pem",
	"/usr/local/share/certs/ca-root-nss.crt",
};

bool tls_foreign_bundle(const char *path)
{
	if (access(path, F_OK) == 0)
		return false;
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (strcmp(path, bundles[i]) == 0)
			return true;
	return false;
}

int tls_policy(struct conf *c, const struct relayhost *r, struct delivery_session *out, struct buf *notes,
	       struct error *err)
{
	const char *cafile = conf_str(c, P_smtp_tls_CAfile);
	struct policy p = {.level = level_of_main(c)};
	int rc;

	for (size_t i = 0; i < ATTRIBUTES; i++)
		buf_init(&p.attributes[i], 2048);
	rc = policy_of_map(c, r, &p, notes, err);
	if (rc == 0) {
		/* On a port that speaks TLS from the first byte there is no other way. */
		out->tls_level = r->implicit_tls && !tls_level_requires_tls(p.level) ? TLS_ENCRYPT : p.level;
		if (tls_foreign_bundle(cafile))
			buf_addf(notes, "TLS: smtp_tls_CAfile = %s does not exist here; this system's own CA "
				 "certificates are used\n", cafile);
		else
			snprintf(out->cafile, sizeof(out->cafile), "%s", cafile);
		rc = fill_match(c, &p, out, err);
		if (rc == 0)
			rc = fill_priority(c, &p, out, notes, err);
	}
	if (rc == 0 && out->tls_level == TLS_FINGERPRINT && !*out->fingerprints)
		rc = error_set(err, REASON_TLS_CONFIG,
			       "smtp_tls_security_level = fingerprint, but smtp_tls_fingerprint_cert_match is empty");
	for (size_t i = 0; i < ATTRIBUTES; i++)
		buf_free(&p.attributes[i]);
	return rc;
}
