/* conf/value.c, expand.c, host.c, table.c: types, ${...}, what this host adds, names. */
#include "config.h"
#include "conf_fixture.h"
#include "conf/internal.h"

static void bad_values(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"smtp_sasl_auth_enable = maybe\n", "yes or no is wanted: smtp_sasl_auth_enable = maybe"},
		{"smtp_pipeline_window = 0\n", "1..200"},
		{"smtp_pipeline_window = 201\n", "1..200"},
		{"smtp_pipeline_window = 99999999999999999999\n", "a number is wanted"},
		{"smtp_pipeline_window = 0x10\n", "a number is wanted"},
		{"smtp_pipeline_window =\n", "a number is wanted"},
		{"maximal_queue_lifetime = 5y\n", "a time is wanted"},
		{"maximal_queue_lifetime = -1d\n", "a time is wanted"},
		{"queue_directory = spool\n", "begins with /"},
		{"queue_directory =\n", "a path is wanted"},
		{"smtp_tls_security_level = {{TLS_VERIFY}}\n", "none may encrypt fingerprint verify secure"},
		{"inet_protocols = ipv5\n", "all ipv4 ipv6"},
		{"myhostname = $myhostname\n", "refers to itself"},
		{"myhostname = $mydomain\nmydomain = $myhostname\n", "refers to itself"},
		{"relayhost = ${x\n", "not closed"},
		{"relayhost = a$\n", "$$"}, {"relayhost = ${{a} == {a}?{b}}\n", "comparisons"},
		{"smtp_generic_maps = ldap:/etc/x\n", "no such type of map"},
		{"smtp_generic_maps = exec:/bin/true\n", "smtp_sasl_password_maps only"},
		{"smtp_generic_maps = hash:\n", "behind the colon"},
		{"smtp_sasl_password_maps = me:" SECRET "\n", "no such type of map"},
		{"smtp_sasl_password_maps = static:me:" SECRET " nonsense\n", "type:name"},
		{"smtp_sasl_password_maps = static:me:" SECRET "$\n", "$$"},
		{"smtp_sasl_password_maps = inline:{[a]:587=me:" SECRET "} x\n", "type:name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = refused(bad[i].text);

		assert_says(err.text, bad[i].words);
		assert_int_equal(error_exit(&err), EX_CONFIG);
		assert_says(err.text, "main.cf:1");
	}
}

static void expansion(void **state)
{
	static const struct {
		const char *raw, *value;
	} cases[] = {
		{"$myhostname", "h.example"},	    {"${myhostname}", "h.example"},
		{"$(myhostname)", "h.example"},	    {"a$$b", "a$b"},
		{"x${myhostname}y", "xh.exampley"}, {"${always_bcc?yes}", ""},
		{"${always_bcc:no}", "no"},	    {"${myhostname?yes}", "yes"},
		{"${myhostname:no}", ""},	    {"${myhostname?{yes}:{no}}", "yes"},
		{"${always_bcc?{yes}:{no}}", "no"}, {"${always_bcc ? {yes} : {$myhostname}}", "h.example"},
		{"$undefined_thing", ""},	    {"$own", "mine h.example"},
		{"${myhostname?{a{b}c}}", "a{b}c"}, {"$config_directory", dir},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[500];
		struct conf *c;

		snprintf(text, sizeof(text), "myhostname = h.example\nown = mine $myhostname\nfrom_address = %s\n",
			 cases[i].raw);
		c = load(text);
		assert_string_equal(conf_str(c, P_from_address), cases[i].value);
		conf_free(c);
	}
}

static void times_and_numbers(void **state)
{
	struct conf *c;

	(void)state;
	c = load("maximal_queue_lifetime = 1\ndelay_warning_time = 2\nsmtp_connect_timeout = 7\nminimal_backoff_time = "
		 "2m\n"
		 "bounce_queue_lifetime = 1w\nmessage_size_limit = 26214400\nsmtp_destination_rate_delay = 3\n"
		 "smtp_sasl_auth_enable = YES\ndefault_destination_concurrency_limit = 1\n");
	assert_int_equal(conf_seconds(c, P_maximal_queue_lifetime), 86400);
	assert_int_equal(conf_seconds(c, P_delay_warning_time), 7200);
	assert_int_equal(conf_seconds(c, P_smtp_connect_timeout), 7);
	assert_int_equal(conf_seconds(c, P_minimal_backoff_time), 120);
	assert_int_equal(conf_seconds(c, P_bounce_queue_lifetime), 604800);
	assert_int_equal(conf_seconds(c, P_smtp_destination_rate_delay), 3);
	assert_int_equal(conf_int(c, P_message_size_limit), 26214400);
	assert_int_equal(conf_int(c, P_smtp_destination_concurrency_limit), 1);
	assert_true(conf_bool(c, P_smtp_sasl_auth_enable));
	conf_free(c);
}

static void defaults_are_well_formed(void **state)
{
	struct conf *c;
	struct error err;

	(void)state;
	assert_int_equal(conf_defaults(dir, &c, &err), 0);
	for (int p = 0; p < CONF_PARAMS; p++)
		if (conf_check_value(c, (enum conf_param)p, &err) < 0)
			fail_msg("%s", err.text);
	assert_string_equal(conf_str(c, P_smtp_tls_security_level), "secure");
	assert_string_equal(conf_str(c, P_queue_directory), at("queue"));
	assert_string_equal(conf_str(c, P_door_socket), at("queue/door"));
	assert_true(strchr(conf_myhostname(c), '.') != NULL);
	conf_free(c);
	assert_int_equal(conf_defaults(SYSCONFDIR, &c, &err), 0);
	assert_string_equal(conf_str(c, P_queue_directory), QUEUEDIR);
	assert_string_equal(conf_str(c, P_door_socket), RUNDIR "/door");
	conf_free(c);
}

static void origin(void **state)
{
	struct conf *c;

	(void)state;
	put("mailname", "# name\nmail.example\n", 0644);
	c = load("myorigin = /etc/none\nmyhostname = h.example\n");
	assert_string_equal(conf_myorigin(c), "h.example");
	assert_says(conf_notes(c), "myhostname is used");
	conf_free(c);
	put_main("myorigin = %D/mailname\nfrom_address = root@$myorigin\n");
	{
		struct error err;

		assert_int_equal(conf_load(dir, &c, &err), 0);
	}
	assert_string_equal(conf_myorigin(c), "mail.example");
	assert_string_equal(conf_str(c, P_from_address), "root@mail.example");
	assert_false(conf_changed(c));
	put("mailname", "other.example\n", 0644);
	assert_true(conf_changed(c));
	conf_free(c);
	c = load("myorigin =\nmyhostname = h.example\n");
	assert_string_equal(conf_myorigin(c), "h.example");
	conf_free(c);
	c = load("myorigin = mail\nmyhostname = web1\nmydomain = example.org\n");
	assert_string_equal(conf_myorigin(c), "mail.example.org");
	assert_string_equal(conf_myhostname(c), "web1.example.org");
	conf_free(c);
	c = load("myorigin = localhost\nmyhostname = h.example.org\n");
	assert_string_equal(conf_myorigin(c), "h.example.org");
	conf_free(c);
	put("mailname", "short\n", 0644);
	put_main("myorigin = %D/mailname\nmyhostname = h.example.org\n");
	assert_int_equal(conf_load(dir, &c, &(struct error){0}), 0);
	assert_string_equal(conf_myorigin(c), "short.example.org");
	conf_free(c);
	c = load("myorigin = $mydomain\nmyhostname = h.example.org\n");
	assert_string_equal(conf_myorigin(c), "example.org");
	conf_free(c);
	c = load("myhostname = $mydomain\nmydomain = d.example\n");
	assert_string_equal(conf_myhostname(c), "d.example");
	conf_free(c);
}

static void nearest(void **state)
{
	(void)state;
	assert_string_equal(conf_nearest("relay_host"), "relayhost");
	assert_string_equal(conf_nearest("smtp_sasl_passwd_maps"), "smtp_sasl_password_maps");
	assert_string_equal(conf_nearest("smtp_tls_ca_file"), "smtp_tls_CAfile");
	assert_string_equal(conf_nearest("realyhost"), "relayhost");
	assert_string_equal(conf_nearest("smtp_tls_security_levle"), "smtp_tls_security_level");
	assert_null(conf_nearest("zzz"));
	assert_null(conf_nearest("something_else_altogether"));
	assert_true(conf_postfix_knows("biff"));
	assert_true(conf_postfix_knows("relay_destination_concurrency_limit"));
	assert_true(conf_postfix_knows("smtpd_relay_restrictions"));
	assert_false(conf_postfix_knows("relayhost"));
	assert_false(conf_postfix_knows("relay_host"));
	assert_false(conf_postfix_knows("smtp_sasl_passwd_maps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(bad_values), IN_DIRECTORY(expansion), IN_DIRECTORY(times_and_numbers),
		IN_DIRECTORY(defaults_are_well_formed), IN_DIRECTORY(origin), IN_DIRECTORY(nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
