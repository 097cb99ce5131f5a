/* test_certificate.c: names of certificates (RFC 6125). */
#include "config.h"
#include "unit.h"
#include "smtp/connection/certificate.h"

#include <stdio.h>
#include <string.h>

static void certificate_names(void **state)
{
	static const struct {
		const char *san, *host;
		bool matches, below;
	} cases[] = {
		{"mail.example.com", "mail.example.com", true, false},
		{"MAIL.example.COM", "mail.EXAMPLE.com", true, false},
		{"mail.example.com", "mail.example.com.", true, false},
		{"mail.example.com", "example.com", false, true},
		{"example.com", "mail.example.com", false, false},
		{"*.example.com", "mail.example.com", true, false},
		{"*.example.com", "a.mail.example.com", false, false},
		{"*.example.com", "example.com", false, true},
		{"*.com", "example.com", false, false},
		{"*", "com", false, false},
		{"m*.example.com", "mail.example.com", false, false},
		{"mail.*.com", "mail.example.com", false, false},
		{"*.*.com", "mail.example.com", false, false},
		{"xample.com", "example.com", false, false},
		{"badexample.com", "example.com", false, false},
		{"", "example.com", false, false},
		{"*.xn--bcher-kva.example", "mail.xn--bcher-kva.example", true, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(cert_name_matches(span_of(cases[i].san), cases[i].host), cases[i].matches);
		assert_int_equal(cert_name_below(span_of(cases[i].san), cases[i].host), cases[i].below);
	}
	assert_false(cert_name_matches((struct span){"mail.example.com\0.evil.example", 30}, "mail.example.com"));
}

static void certificate_addresses(void **state)
{
	static struct cert_names names = {.n = 2, .name = {{true, 4, "\x7f\0\0\1"}, {false, 9, "127.0.0.2"}}};

	(void)state;
	assert_true(cert_has_name(&names, "127.0.0.1", false));
	assert_false(cert_has_name(&names, "127.0.0.2", false));
	assert_false(cert_has_name(&names, "127.0.0.1", true));
	assert_false(cert_has_name(&names, "::1", false));
}

/* Authorities sign for hundreds of names: the last of them counts too. */
static void certificate_with_many_names(void **state)
{
	static struct cert_names names;
	gnutls_x509_crt_t made, crt;
	gnutls_x509_privkey_t key;
	gnutls_datum_t der = {0};
	char name[40];

	(void)state;
	assert_int_equal(gnutls_x509_crt_init(&made) | gnutls_x509_crt_init(&crt) | gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_DNSNAME, name,
								      (unsigned)strlen(name),
								      i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET),
				 0);
	}
	assert_int_equal(gnutls_x509_crt_set_version(made, 3) | gnutls_x509_crt_set_serial(made, "\1", 1) |
				 gnutls_x509_crt_set_activation_time(made, 0) |
				 gnutls_x509_crt_set_expiration_time(made, 2000000000) |
				 gnutls_x509_crt_set_key(made, key),
			 0);
	assert_int_equal(gnutls_x509_crt_sign2(made, made, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_DER, &der), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER), 0);
	cert_names(crt, &names);
	assert_true(cert_has_name(&names, "n499.example.com", false));
	assert_false(cert_has_name(&names, "n500.example.com", false));
	gnutls_free(der.data);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(made);
	gnutls_x509_crt_deinit(crt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_names),
		cmocka_unit_test(certificate_addresses),
		cmocka_unit_test(certificate_with_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
