/* src/nexthop/relayhost.c, advice.c: what relayhost means, and common mistakes. */
#include "config.h"
#include "conf_fixture.h"
#include "nexthop/nexthop.h"

static char said[8192];

static const char *advice(struct conf *c)
{
	struct buf b;

	buf_init(&b, sizeof(said) - 1);
	nexthop_advice(c, &b);
	snprintf(said, sizeof(said), "%s", buf_str(&b));
	buf_free(&b);
	assert_null(strstr(said, SECRET));
	return said;
}

static void relay_forms(void **state)
{
	static const struct {
		const char *text, *host, *port;
		bool mx, implicit;
	} forms[] = {
		{"[mail.example.com]:587", "mail.example.com", "587", false, false},
		{"[mail.example.com]:465", "mail.example.com", "465", false, true},
		{"[mail.example.com]:smtps", "mail.example.com", "465", false, true},
		{"[mail.example.com]:submissions", "mail.example.com", "465", false, true},
		{"[mail.example.com]:submission", "mail.example.com", "587", false, false},
		{"[mail.example.com]:smtp", "mail.example.com", "25", false, false},
		{"[mail.example.com]", "mail.example.com", "587", false, false},
		{"[mail.example.com.]:2525", "mail.example.com", "2525", false, false},
		{"mail.example.com:587", "mail.example.com", "587", true, false},
		{"mail.example.com", "mail.example.com", "587", true, false},
		{"[192.0.2.1]:587", "192.0.2.1", "587", false, false},
		{"192.0.2.1:587", "192.0.2.1", "587", false, false},
		{"[2001:db8::1]:587", "2001:db8::1", "587", false, false},
		{"[IPv6:2001:db8::1]:465", "2001:db8::1", "465", false, true},
		{"[::1]", "::1", "587", false, false},
		{"[localhost]:1025", "localhost", "1025", false, false},
		{"[b\xc3\xbc" "cher.example]:587", "b\xc3\xbc" "cher.example", "587", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct relayhost r;
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "relayhost = %s\n", forms[i].text);
		c = load(text);
		if (relayhost_list(c, &r, 1, &err) != 1)
			fail_msg("%s: %s", forms[i].text, err.text);
		assert_string_equal(r.host, forms[i].host);
		assert_string_equal(r.port, forms[i].port);
		assert_string_equal(r.written, forms[i].text);
		assert_int_equal(r.mx, forms[i].mx);
		assert_int_equal(r.implicit_tls, forms[i].implicit);
		conf_free(c);
	}
}

static void relay_errors(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"smtp://mail.example.com:587", "write: relayhost = [mail.example.com]:587"},
		{"smtps://me:" SECRET "@mail.example.com", "write: relayhost = [mail.example.com]:465"},
		{"[https://mail.example.com]:587", "write: relayhost = [mail.example.com]:587"},
		{"[smtps://mail.example.com]", "write: relayhost = [mail.example.com]:465"},
		{"smtp:[mail.example.com]:587", "write: relayhost = [mail.example.com]:587"},
		{"smtp:mail.example.com:2525", "write: relayhost = [mail.example.com]:2525"},
		{"[mail.example.com:465]", "write: relayhost = [mail.example.com]:465"},
		{"[mail.example.com", "write: relayhost = [mail.example.com]:587"},
		{"[mail.example.com]587", "write: relayhost = [mail.example.com]:587"},
		{"[mail.example.com]:0", "[mail.example.com]:587"},
		{"[mail.example.com]:65536", "[mail.example.com]:587"},
		{"[mail.example.com]:nosuchservice", "not :PORT"},
		{"mail.example.com 587", "write: relayhost = [mail.example.com]:587"},
		{"mail.example.com, 465", "write: relayhost = [mail.example.com]:465"},
		{"me:" SECRET "@mail.example.com:587", "write: relayhost = [mail.example.com]:587"},
		{"2001:db8::1", "colon"},
		{"[]:587", "no host"},
		{"[-x]:587", "not a host's name"},
		{"[a..b]:587", "not a host's name"},
		{"[a/b]:587", "not a host's name"},
		{"[a.example]:587 smtp_sasl_auth_enable = yes", "remove that blank"},
		{"[a.example]:587 smtp_sasl_auth_enable=yes", "remove that blank"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct relayhost r[4];
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "relayhost = %s\n", bad[i].text);
		c = load(text);
		assert_int_equal(relayhost_list(c, r, 4, &err), -1);
		assert_int_equal(error_exit(&err), EX_CONFIG);
		assert_says(err.text, "main.cf:1: relayhost");
		assert_says(err.text, bad[i].words);
		assert_null(strstr(err.text, SECRET));
		conf_free(c);
	}
}

static void several_relays(void **state)
{
	struct relayhost r[4];
	struct error err;
	struct conf *c;

	(void)state;
	c = load(
		"relayhost = [a]:587, [b]:465\n [c]:2525\nsmtp_fallback_relay = [d]:587\nsmtp_tls_wrappermode = yes\n");
	assert_int_equal(relayhost_list(c, r, 4, &err), 4);
	assert_string_equal(r[2].host, "c");
	assert_true(r[2].implicit_tls);
	assert_string_equal(r[3].host, "d");
	assert_false(r[3].implicit_tls);
	assert_int_equal(relayhost_list(c, r, 2, &err), 2);
	conf_free(c);
}

static void mistakes(void **state)
{
	const struct conf_unused *list;
	struct conf *c;

	(void)state;
	c = load("relayhost = [a.example]:465\nsmtp_tls_wrappermode = no\n");
	assert_says(advice(c), "main.cf:2: smtp_tls_wrappermode = no with port 465");
	conf_free(c);
	c = load("relayhost = [a.example]:587\nsmtp_tls_wrappermode = yes\n");
	assert_says(advice(c), "main.cf:2: smtp_tls_wrappermode = yes with port 587");
	conf_free(c);
	c = load("relayhost = a.example:587\n");
	assert_says(advice(c), "write [a.example]:587");
	assert_null(strstr(said, "names no port"));
	conf_free(c);
	c = load("relayhost = [a.example]\n");
	assert_says(advice(c), "names no port: 587 is used");
	conf_free(c);
	c = load("relayhost = [a.example]:587\n smtp_sasl_auth_enable = yes\n");
	assert_says(advice(c), "main.cf:2: begins with a blank");
	conf_free(c);
	c = load(" relayhost = [a.example]:587\n");
	assert_says(advice(c), "main.cf:1: begins with a blank, but");
	assert_string_equal(conf_str(c, P_relayhost), "[a.example]:587");
	conf_free(c);
	c = load("relayhost = [a.example]:587\nrelayhost = [b.example]:587\n");
	assert_says(advice(c), "relayhost is set again; line 1 has no effect");
	conf_free(c);
	c = load("relayhost = [a.example]:587\nsmtp_tls_cert_file = /nowhere/cert.pem\n");
	assert_says(advice(c), "/nowhere/cert.pem: there is no such file");
	conf_free(c);
	c = load("relayhost = [a.example]:587\nsmtp_sasl_password_maps = static:me:" SECRET "$x\n");
	assert_says(advice(c), "$$");
	assert_says(advice(c), "smtp_sasl_auth_enable is not yes");
	conf_free(c);
	c = load("relay_host = x\nsmtp_sasl_passwd_maps = static:me:" SECRET "\nsmtp_tls_ca_file = /x\nbiff = no\n");
	assert_int_equal(conf_unused(c, &list), 4);
	assert_string_equal(list[0].nearest, "relayhost");
	assert_int_equal(list[1].line, 2);
	assert_string_equal(list[1].nearest, "smtp_sasl_password_maps");
	assert_string_equal(list[2].nearest, "smtp_tls_CAfile");
	assert_null(list[3].nearest);
	conf_free(c);
	c = load("relayhost = [a.example]:587\ninet_interfaces = all\n");
	assert_says(advice(c), "never listens beyond this host");
	assert_says(advice(c), "write inet_interfaces = loopback-only");
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(relay_forms), IN_DIRECTORY(relay_errors), IN_DIRECTORY(several_relays),
		IN_DIRECTORY(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
