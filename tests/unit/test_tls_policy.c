/* src/nexthop/tls_policy.c: levels, policies of maps, and priorities that GnuTLS takes. */
#include "config.h"
#include "conf_fixture.h"
#include "nexthop/tls_policy.h"
#include <gnutls/gnutls.h>

static char said[8192];

static struct delivery_session tls_of(const char *text, const char *relay)
{
	struct conf *c = load(text);
	struct relayhost r;
	struct delivery_session t = {.host = ""};
	struct error err = {0};
	struct buf notes;

	buf_init(&notes, sizeof(said) - 1);
	assert_int_equal(relayhost_parse(c, relay, &r, &err), 0);
	if (tls_policy(c, &r, &t, &notes, &err) < 0)
		snprintf(said, sizeof(said), "%s", err.text);
	else
		snprintf(said, sizeof(said), "%s", buf_str(&notes));
	buf_free(&notes);
	conf_free(c);
	return t;
}

static void tls_levels(void **state)
{
	static const struct {
		const char *text, *relay;
		enum tls_level level;
	} cases[] = {
		{"", "[h]:587", TLS_SECURE},
		{"smtp_use_tls = yes\n", "[h]:587", TLS_SECURE},
		{"smtp_use_tls = no\n", "[h]:587", TLS_NONE},
		{"smtp_use_tls = no\nsmtp_tls_security_level = may\n", "[h]:587", TLS_MAY},
		{"smtp_use_tls = yes\nsmtp_tls_security_level =\n", "[h]:587", TLS_SECURE},
		{"smtp_enforce_tls = yes\nsmtp_use_tls = no\n", "[h]:587", TLS_SECURE},
		{"smtp_tls_security_level = ENCRYPT\n", "[h]:587", TLS_ENCRYPT},
		{"smtp_tls_security_level = dane\n", "[h]:587", TLS_SECURE},
		{"smtp_tls_security_level = may\n", "[h]:465", TLS_ENCRYPT},
		{"smtp_tls_security_level = verify\n", "[h]:465", TLS_VERIFY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(tls_of(cases[i].text, cases[i].relay).tls_level, cases[i].level);
	assert_string_equal(tls_of("", "[h]:587").match, "nexthop dot-nexthop");
	assert_string_equal(tls_of("smtp_tls_security_level = verify\n", "[h]:587").match, "hostname");
	assert_string_equal(
		tls_of("smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_cert_match = AA:BB, CC:DD\n",
		       "[h]:587")
			.fingerprints,
		"AA:BB CC:DD");
	tls_of("smtp_tls_security_level = fingerprint\n", "[h]:587");
	assert_says(said, "smtp_tls_fingerprint_cert_match is empty");
}

static void policy_maps(void **state)
{
	static char long_policy[4000];
	struct delivery_session t = {.host = ""};

	(void)state;
	put("policy",
	    "[h.example]:587 may\n[fp.example]:587 fingerprint match=AA:BB match=CC:DD|EE:FF\n"
	    "v.example secure match=x.example:.y.example protocols=>=TLSv1.3 ciphers=high exclude=aNULL:3DES "
	    "servername=z\n"
	    ".sub.example encrypt\nbad.example sure\n",
	    0644);
#define POLICY "smtp_tls_policy_maps = hash:%D/policy\n"
	assert_int_equal(tls_of(POLICY, "[h.example]:587").tls_level, TLS_MAY);
	assert_int_equal(tls_of(POLICY, "[h.example]:465").tls_level, TLS_SECURE);
	t = tls_of(POLICY, "[fp.example]:587");
	assert_int_equal(t.tls_level, TLS_FINGERPRINT);
	assert_string_equal(t.fingerprints, "AA:BB CC:DD EE:FF");
	t = tls_of(POLICY, "[v.example]:587");
	assert_string_equal(t.match, "x.example .y.example");
	assert_string_equal(t.priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-ANON-DH:-ANON-ECDH:-3DES-CBC");
	assert_says(said, "servername has no effect");
	assert_int_equal(tls_of(POLICY, "[a.b.sub.example]:587").tls_level, TLS_ENCRYPT);
	tls_of(POLICY, "[bad.example]:587");
	assert_says(said, "bad.example: a level is wanted");
	/* what finds no room is not left out silently */
	snprintf(long_policy, sizeof(long_policy), "h.example secure match=%03000d.example\n", 0);
	put("policy", long_policy, 0644);
	tls_of(POLICY, "[h.example]:587");
	assert_says(said, "h.example: an attribute is too long");
}

static const char *priority(const char *protocols, const char *grade, const char *exclude)
{
	static char room[1024];
	struct buf out, notes;
	struct error err;

	buf_init(&out, sizeof(room) - 1);
	buf_init(&notes, sizeof(said) - 1);
	if (tls_priority(protocols, grade, exclude, &out, &notes, &err) < 0)
		snprintf(room, sizeof(room), "error: %s", err.text);
	else
		snprintf(room, sizeof(room), "%s", buf_str(&out));
	snprintf(said, sizeof(said), "%s", buf_str(&notes));
	buf_free(&out);
	buf_free(&notes);
	return room;
}

static void priorities(void **state)
{
	static const char *const excludes[] = {
		"aNULL, eNULL, EXPORT, DES, RC4, MD5, PSK, aECDH, EDH-DSS-DES-CBC3-SHA, EDH-RSA-DES-CBC3-SHA, "
		"KRB5-DES, CBC3-SHA",
		"AES128 AES256",
		"AES",
		"CAMELLIA",
		"CHACHA20:AESGCM",
		"SHA1,SHA256,SHA384",
		"kRSA aRSA",
		"DHE",
		"ECDHE",
		"aECDSA aDSS",
		"AESCCM AESCCM8 CAMELLIA128 CAMELLIA256",
		"ADH AECDH 3DES",
	};

	(void)state;
	assert_string_equal(priority(">=TLSv1.2", "medium", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "high", ""),
			    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("TLSv1.2", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.2");
	assert_string_equal(priority(">=TLSv1.1, <=TLSv1.2", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1");
	assert_string_equal(priority(">=0303", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("", "", ""),
			    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0");
	assert_says(priority("SSLv3", "high", ""), "error: no version of TLS is left");
	assert_says(priority("TLSv1.4", "high", ""), "error: there is no protocol TLSv1.4");
	priority(">=TLSv1.2", "low", "ECDHE-RSA-AES256-SHA, aRSA+SHA1");
	assert_says(said, "grade low");
	assert_says(said, "ECDHE-RSA-AES256-SHA can't be expressed");
	assert_says(said, "aRSA+SHA1 can't");
	for (size_t i = 0; i < sizeof(excludes) / sizeof(excludes[0]); i++) {
		gnutls_priority_t p;
		const char *where = NULL;

		if (gnutls_priority_init(&p, priority(">=TLSv1", "high", excludes[i]), &where) < 0)
			fail_msg("%s: GnuTLS does not take it: %s", excludes[i], where);
		gnutls_priority_deinit(p);
	}
}

static void missing_bundle(void **state)
{
	struct delivery_session t = {.host = ""};

	(void)state;
	t = tls_of("smtp_tls_CAfile = /usr/local/share/certs/ca-root-nss.crt\n", "[h]:587");
	if (access("/usr/local/share/certs/ca-root-nss.crt", F_OK) < 0) {
		assert_string_equal(t.cafile, "");
		assert_says(said, "system's own CA certificates");
	}
	t = tls_of("smtp_tls_CAfile = /nowhere/ca.pem\n", "[h]:587");
	assert_string_equal(t.cafile, "/nowhere/ca.pem"); /* a CA of one's own is never silently replaced */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(tls_levels), IN_DIRECTORY(policy_maps), IN_DIRECTORY(priorities),
		IN_DIRECTORY(missing_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
