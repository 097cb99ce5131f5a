/* conf: the table, main.cf, relayhost, maps, credentials, TLS policy. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "base/limits.h"
#include "base/io.h"
#include "conf/conf.h"
#include "conf/internal.h"
#include "credentials/sha256.h"
#include "nexthop/tls_policy.h"

#define SECRET "s3cr3t-Wort"

static char dir[64];
static char said[8192];

static const char *at(const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void put(const char *name, const char *text, mode_t mode)
{
	struct error err;
	const char *path = at(name);

	unlink(path);
	if (io_replace_file(path, text, strlen(text), mode, &err) < 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/outpost-conf-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A configuration from text; %D stands for the directory. */
static void put_main(const char *text)
{
	char whole[16384] = "";
	size_t n = 0;

	for (; *text && n + sizeof(dir) < sizeof(whole); text++) {
		if (text[0] == '%' && text[1] == 'D') {
			n += (size_t)snprintf(whole + n, sizeof(whole) - n, "%s", dir);
			text++;
		} else {
			whole[n++] = *text;
		}
	}
	whole[n] = '\0';
	put("main.cf", whole, 0600);
}

static struct conf *load(const char *text)
{
	struct conf *c = NULL;
	struct error err = {0};

	put_main(text);
	if (conf_load(dir, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static struct error refused(const char *text)
{
	struct conf *c = NULL;
	struct error err = {0};

	put_main(text);
	if (conf_load(dir, &c, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_null(strstr(err.text, SECRET));
	return err;
}

static void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static const char *advice(struct conf *c)
{
	struct buf b;

	buf_init(&b, sizeof(said) - 1);
	conf_advice(c, &b);
	snprintf(said, sizeof(said), "%s", buf_str(&b));
	buf_free(&b);
	assert_null(strstr(said, SECRET));
	return said;
}

/* ---- the file */

static void syntax(void **state)
{
	struct conf *c;

	(void)state;
	c = load("# comment\n\nrelayhost = [a.example]:587\n  # comment between\n\n\t[b.example]:587\nmyhostname=h.example\r\n"
		 "mydomain = \n  d.example\nbiff = no\n");
	assert_string_equal(conf_raw(c, P_relayhost), "[a.example]:587\t[b.example]:587");
	assert_string_equal(conf_str(c, P_myhostname), "h.example");
	assert_string_equal(conf_str(c, P_mydomain), "d.example");
	assert_int_equal(conf_line(c, P_relayhost), 3);
	assert_int_equal(conf_line(c, P_smtp_helo_name), 0);
	assert_true(conf_is_set(c, P_relayhost));
	assert_false(conf_is_set(c, P_myorigin));
	assert_string_equal(advice(c), strstr(advice(c), said)); /* advice can be asked twice */
	conf_free(c);
}

static void last_line_without_newline(void **state)
{
	struct conf *c;

	(void)state;
	c = load("syslog_name = postfix");
	assert_string_equal(conf_str(c, P_syslog_name), "postfix");
	conf_free(c);
}

static void bad_lines(void **state)
{
	struct error err;

	(void)state;
	err = refused("relayhost = [a]:587\nsmtp_sasl_auth_enable yes\n");
	assert_int_equal(error_exit(&err), EX_CONFIG);
	assert_says(err.text, "main.cf:2: ");
	assert_says(err.text, "smtp_sasl_auth_enable");
	err = refused("[smtp.example.com]:587 me:" SECRET "\n");
	assert_says(err.text, "main.cf:1: ");
	refused("[smtp.example.com]:587 me:" SECRET "=\n");
	refused("me:" SECRET "\n");
	refused("= x\n");
}

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
		{"relayhost = a$\n", "$$"},
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

static void missing_and_rights(void **state)
{
	struct conf *c;
	struct error err;

	(void)state;
	unlink(at("main.cf"));
	assert_int_equal(conf_load(dir, &c, &err), -1);
	assert_int_equal(error_exit(&err), EX_NOINPUT);
	put("main.cf", "", 0666);
	assert_int_equal(conf_load(dir, &c, &err), -1);
	assert_int_equal(error_exit(&err), EX_CONFIG);
	assert_says(err.text, "chmod go-w");
	put("main.cf", "", 0644);
	chmod(dir, 0777);
	assert_int_equal(conf_load(dir, &c, &err), -1);
	assert_says(err.text, "chmod go-w");
	chmod(dir, 0755);
	if (geteuid() == 0) {
		assert_int_equal(chown(at("main.cf"), 4242, 0), 0);
		assert_int_equal(conf_load(dir, &c, &err), -1);
		assert_says(err.text, "4242");
		assert_int_equal(mkdir(at("queue"), 0700), 0);
		assert_int_equal(chown(at("queue"), 4242, 0), 0);
		assert_int_equal(conf_load(dir, &c, &err), 0); /* whoever owns the queue may */
		conf_free(c);
	}
}

static void expansion(void **state)
{
	static const struct {
		const char *raw, *value;
	} cases[] = {
		{"$myhostname", "h.example"}, {"${myhostname}", "h.example"}, {"$(myhostname)", "h.example"},
		{"a$$b", "a$b"}, {"x${myhostname}y", "xh.exampley"}, {"${always_bcc?yes}", ""}, {"${always_bcc:no}", "no"},
		{"${myhostname?yes}", "yes"}, {"${myhostname:no}", ""}, {"${myhostname?{yes}:{no}}", "yes"},
		{"${always_bcc?{yes}:{no}}", "no"}, {"${always_bcc ? {yes} : {$myhostname}}", "h.example"},
		{"${{$myhostname} == {h.example} ? {same} : {other}}", "same"}, {"${{10} > {9}?{more}:{less}}", "more"},
		{"${{a} != {a}?{x}}", ""}, {"$undefined_thing", ""}, {"$own", "mine h.example"}, {"${myhostname?{a{b}c}}", "a{b}c"},
		{"$config_directory", dir}, {"${{$mail_version} < {0}?{x}:{y}}", "y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[500];
		struct conf *c;

		snprintf(text, sizeof(text), "myhostname = h.example\nown = mine $myhostname\nfrom_address = %s\n", cases[i].raw);
		c = load(text);
		assert_string_equal(conf_str(c, P_from_address), cases[i].value);
		conf_free(c);
	}
}

static void own_names_are_not_unused(void **state)
{
	const struct conf_unused *list;
	struct conf *c;

	(void)state;
	c = load("my_ca = /x\nsmtp_tls_CAfile = $my_ca\nmy_other = y\nsmtpd_banner = $my_other\n");
	assert_int_equal(conf_unused(c, &list), 1);
	assert_string_equal(list[0].name, "smtpd_banner");
	assert_true(list[0].postfix);
	conf_free(c);
	c = load("alias_maps = $nowhere\n");
	assert_says(advice(c), "$nowhere stands for nothing");
	conf_free(c);
}

static void times_and_numbers(void **state)
{
	struct conf *c;

	(void)state;
	c = load("maximal_queue_lifetime = 1\ndelay_warning_time = 2\nsmtp_connect_timeout = 7\nminimal_backoff_time = 2m\n"
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
	for (int p = 0; p < CONF_PARAMS; p++) {
		struct buf b;

		if (conf_check_value(c, (enum conf_param)p, &err) < 0)
			fail_msg("%s", err.text);

		buf_init(&b, 4096);
		conf_summary((enum conf_param)p, &b);
		assert_true(b.len > 10 && b.len < 200 && buf_str(&b)[b.len - 1] == '.');
		buf_free(&b);
	}
	assert_string_equal(conf_str(c, P_smtp_tls_security_level), "secure");
	assert_string_equal(conf_str(c, P_queue_directory), at("queue"));
	assert_string_equal(conf_str(c, P_door_socket), at("queue/door"));
	assert_true(strchr(conf_myhostname(c), '.') != NULL);
	assert_int_equal(conf_relays(c, NULL, 0, &err), 0);
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
	assert_says(advice(c), "myhostname is used");
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

static void changed(void **state)
{
	struct conf *c;

	(void)state;
	c = load("biff = no\n");
	assert_false(conf_changed(c));
	put_main("biff = no\n#\n");
	assert_true(conf_changed(c));
	conf_free(c);
}

/* Called when a file has been read; it is written on just then. */
static const char *written_on;

int close(int fd)
{
	if (written_on) {
		const char *text = written_on;

		written_on = NULL;
		put_main(text);
	}
	return (int)syscall(SYS_close, fd);
}

/* By an editor that was not done: what it writes last is not taken for what was read. */
static void changed_while_it_is_read(void **state)
{
	struct conf *c;
	struct error err;

	(void)state;
	put_main("");
	written_on = "relayhost = [a.example]:587\n";
	assert_int_equal(conf_load(dir, &c, &err), 0);
	assert_null(written_on);
	assert_string_equal(conf_str(c, P_relayhost), "");
	assert_true(conf_changed(c));
	conf_free(c);
}

static void set_one(void **state)
{
	struct conf *c;
	struct error err;
	const char *held;

	(void)state;
	c = load("syslog_name = one\n");
	held = conf_str(c, P_syslog_name);
	assert_int_equal(conf_set(c, "syslog_name", "two", &err), 0);
	assert_string_equal(held, "one");
	assert_string_equal(conf_str(c, P_syslog_name), "two");
	assert_int_equal(conf_set(c, "smtp_pipeline_window", "x", &err), -1);
	assert_int_equal(conf_int(c, P_smtp_pipeline_window), 25);
	assert_int_equal(conf_set(c, "biff", "no", &err), 0);
	assert_int_equal(conf_set(c, "relay_host", "x", &err), -1);
	assert_says(err.text, "did you mean relayhost?");
	conf_free(c);
}

static void editing(void **state)
{
	static const struct {
		const char *text, *name, *value, *result;
	} cases[] = {
		{"", "a", "1", "a = 1\n"}, {"b = 2", "a", "1", "b = 2\na = 1\n"}, {"a=0\nb = 2\n", "a", "1", "a = 1\nb = 2\n"},
		{"# x\n#a = 0\n\nb = 2\n", "a", "1", "# x\n#a = 0\na = 1\n\nb = 2\n"},
		{"a = 0,\n  # in\n\tmore\nb = 2\n", "a", "1", "a = 1\n  # in\nb = 2\n"},
		{"a = 0\nb = 2\na = 3\n", "a", "1", "b = 2\na = 1\n"}, {"ab = 0\n", "a", "1", "ab = 0\na = 1\n"},
		{"a = 0\n", "a", "", "a =\n"}, {"a = 0\n c\nb = 2\n", "a", NULL, "b = 2\n"}, {"b = 2\n", "a", NULL, "b = 2\n"},
		{"x = 1\n a = 2\n", "a", "1", "x = 1\n a = 2\na = 1\n"}, {"a = 1\n", "a", "1", "a = 1\n"},
		{"#a = 0", "a", "1", "#a = 0\na = 1\n"}, {"#a = 0\n b = 2\n", "a", "1", "#a = 0\n b = 2\na = 1\n"},
		{"b = 2,\n#a = 0\n  3\n", "a", "1", "b = 2,\n#a = 0\n  3\na = 1\n"},
	};
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		assert_int_equal(conf_edit(span_of(cases[i].text), cases[i].name, cases[i].value, &out, &err),
				 strcmp(cases[i].text, cases[i].result) != 0);
		assert_string_equal(buf_str(&out), cases[i].result);
	}
	assert_int_equal(conf_edit(span_of(""), "a", "x\ny = z", &out, &err), -1);
	buf_free(&out);
}

/* ---- names */

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

static void tutorials(void **state)
{
	static const struct {
		const char *name, *value;
	} seen[] = {
#define SEEN(name, value) {name, value},
#include "tests/unit/tutorials.inc"
#undef SEEN
	};

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		const struct conf_unused *list;
		char text[500];
		struct conf *c;

		if (strcmp(seen[i].value, "hash:...") == 0 || strcmp(seen[i].value, "regexp:...") == 0)
			continue;
		snprintf(text, sizeof(text), "mydomain = d.example\n%s = %s\n", seen[i].name, seen[i].value);
		c = load(text);
		assert_true(conf_find(seen[i].name) >= 0 || conf_postfix_knows(seen[i].name));
		assert_int_equal(conf_unused(c, &list), conf_find(seen[i].name) < 0);
		conf_free(c);
	}
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
	c = load("relayhost = [a.example]:587\nsmtp_tls_CAfile = /nowhere/cacert.pem\n");
	assert_says(advice(c), "/nowhere/cacert.pem: there is no such file");
	conf_free(c);
	c = load("relayhost = [a.example]:587\nsmtp_sasl_password_maps = static:me:" SECRET "$x\n");
	assert_says(advice(c), "$$");
	assert_says(advice(c), "smtp_sasl_auth_enable is not yes");
	conf_free(c);
	c = load("biff = no\n");
	assert_says(advice(c), "relayhost is not set");
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

/* ---- relayhost */

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
		struct conf_relay r;
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "relayhost = %s\n", forms[i].text);
		c = load(text);
		if (conf_relays(c, &r, 1, &err) != 1)
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
		struct conf_relay r[4];
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "relayhost = %s\n", bad[i].text);
		c = load(text);
		assert_int_equal(conf_relays(c, r, 4, &err), -1);
		assert_int_equal(error_exit(&err), EX_CONFIG);
		assert_says(err.text, "main.cf:1: relayhost");
		assert_says(err.text, bad[i].words);
		assert_null(strstr(err.text, SECRET));
		conf_free(c);
	}
}

static void several_relays(void **state)
{
	struct conf_relay r[4];
	struct error err;
	struct conf *c;

	(void)state;
	c = load("relayhost = [a]:587, [b]:465\n [c]:2525\nsmtp_fallback_relay = [d]:587\nsmtp_tls_wrappermode = yes\n");
	assert_int_equal(conf_relays(c, r, 4, &err), 4);
	assert_string_equal(r[2].host, "c");
	assert_true(r[2].implicit_tls);
	assert_string_equal(r[3].host, "d");
	assert_false(r[3].implicit_tls);
	assert_int_equal(conf_relays(c, r, 2, &err), 2);
	conf_free(c);
}

/* ---- maps */

static const char *look(struct conf *c, enum conf_param p, const char *key)
{
	static char room[2048];
	struct conf_maps *m = NULL;
	struct error err = {0};
	struct buf b;
	int rc;

	buf_init(&b, sizeof(room) - 1);
	if (conf_maps_open(c, p, &m, &err) < 0)
		fail_msg("%s", err.text);
	rc = conf_maps_get(m, key, &b, &err);
	assert_false(conf_maps_changed(m));
	conf_maps_free(m);
	if (rc < 0)
		fail_msg("%s", err.text);
	snprintf(room, sizeof(room), "%s", buf_str(&b));
	buf_free(&b);
	return rc ? room : NULL;
}

static void text_map(void **state)
{
	struct conf *c;

	(void)state;
	put("generic", "# comment\nroot@h.example   ops@example.com\n\n@h.example\tall@example.com\n  # c\nRoot2 a@b,\n   c@d\n"
	    "\"with blank\" v\nroot@h.example second\n", 0644);
	c = load("smtp_generic_maps = hash:%D/generic\ncanonical_maps = proxy:texthash:%D/none, hash:%D/generic\n"
		 "sender_canonical_maps = hash:generic\n");
	assert_string_equal(look(c, P_smtp_generic_maps, "root@h.example"), "ops@example.com");
	assert_string_equal(look(c, P_smtp_generic_maps, "ROOT@H.example"), "ops@example.com");
	assert_string_equal(look(c, P_smtp_generic_maps, "@h.example"), "all@example.com");
	assert_string_equal(look(c, P_smtp_generic_maps, "root2"), "a@b,   c@d");
	assert_string_equal(look(c, P_smtp_generic_maps, "with blank"), "v");
	assert_string_equal(look(c, P_sender_canonical_maps, "root@h.example"), "ops@example.com");
	assert_null(look(c, P_smtp_generic_maps, "nobody"));
	{
		struct conf_maps *m;
		struct error err = {0};

		assert_int_equal(conf_maps_open(c, P_canonical_maps, &m, &err), -1);
		assert_int_equal(error_exit(&err), EX_CONFIG);
		assert_says(err.text, "canonical_maps: cannot open");
		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), 0);
		put("generic", "new x\n", 0644);
		assert_true(conf_maps_changed(m));
		conf_maps_free(m);
		put("generic", "key-without-value\n", 0644);
		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), 0);
		conf_maps_free(m);
		assert_int_equal(conf_maps_open(c, P_always_bcc, &m, &err), 0);
		assert_null(m);
	}
	conf_free(c);
}

static void alias_map(void **state)
{
	struct conf *c;

	(void)state;
	put("aliases", "root: ops@example.com\n# x\nlist : a,\n\tb\n\"odd name\":c\npipe: \"|/bin/x\"\nno colon here\nWww:root\n", 0644);
	c = load("alias_maps = hash:%D/aliases, nis:mail.aliases\n");
	assert_string_equal(look(c, P_alias_maps, "root"), "ops@example.com");
	assert_string_equal(look(c, P_alias_maps, "list"), "a,\tb");
	assert_string_equal(look(c, P_alias_maps, "odd name"), "c");
	assert_string_equal(look(c, P_alias_maps, "pipe"), "\"|/bin/x\"");
	assert_string_equal(look(c, P_alias_maps, "www"), "root");
	assert_null(look(c, P_alias_maps, "no"));
	conf_free(c);
	c = load("alias_maps = hash:%D/nofile\n");
	assert_null(look(c, P_alias_maps, "root"));
	conf_free(c);
}

static void static_and_inline(void **state)
{
	struct conf *c;

	(void)state;
	c = load("recipient_canonical_maps = static:me@x.example\ncanonical_maps = static:{a b}\n"
		 "smtp_generic_maps = inline:{ {root = a@b}, k=v, { @h = x y } }\n");
	assert_string_equal(look(c, P_recipient_canonical_maps, "who@ever"), "me@x.example");
	assert_string_equal(look(c, P_canonical_maps, "k"), "a b");
	assert_string_equal(look(c, P_smtp_generic_maps, "root"), "a@b");
	assert_string_equal(look(c, P_smtp_generic_maps, "K"), "v");
	assert_string_equal(look(c, P_smtp_generic_maps, "@h"), "x y");
	assert_null(look(c, P_smtp_generic_maps, "z"));
	conf_free(c);
}

static void regexp_map(void **state)
{
	struct conf *c;

	(void)state;
	put("re", "# c\n/^root@(.*)\\.local$/ ops+$1@example.com\n!/@/ none\nif /@b\\.example$/\n/^x/  ${1}inside$$\nif /^y/\n/^yy/ deep\n"
	    "endif\nendif\n/^CASE@/i  sensitive\n|^a/b@|  slash\n/^(.+)@lan$/ $(1)@wan\n", 0644);
	c = load("smtp_generic_maps = regexp:%D/re\nsmtp_sasl_password_maps = regexp:%D/pw\nalias_maps = regexp:%D/re\n");
	assert_string_equal(look(c, P_smtp_generic_maps, "ROOT@h.local"), "ops+h@example.com");
	assert_string_equal(look(c, P_smtp_generic_maps, "xa@b.example"), "inside$");
	assert_string_equal(look(c, P_smtp_generic_maps, "yya@b.example"), "deep");
	assert_null(look(c, P_smtp_generic_maps, "yya@c.example"));
	assert_null(look(c, P_smtp_generic_maps, "case@x"));
	assert_string_equal(look(c, P_smtp_generic_maps, "CASE@x"), "sensitive");
	assert_string_equal(look(c, P_smtp_generic_maps, "a/b@x"), "slash");
	assert_string_equal(look(c, P_smtp_generic_maps, "who@lan"), "who@wan");
	assert_null(look(c, P_smtp_generic_maps, "noat"));	/* partial keys are not for patterns */
	assert_null(look(c, P_smtp_generic_maps, "@b.example"));
	assert_string_equal(look(c, P_alias_maps, "noat"), "none");
	conf_free(c);
	put("pc", "/^\\w+@(?:x)/ y\n", 0644);
	c = load("smtp_generic_maps = pcre:%D/pc\n");
	{
		struct conf_maps *m;
		struct error err = {0};

		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), -1);
		assert_says(err.text, "pc:1: this pattern needs Perl's");
		put("pc", "/^([\\w.]+)\\d@h$/ $1@x\n", 0644);
		assert_string_equal(look(c, P_smtp_generic_maps, "a.b7@h"), "a.b@x");
		put("pc", "/(/ x\n", 0644);
		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), -1);
		put("pc", "endif\n", 0644);
		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), -1);
		put("pc", "/open x\n", 0644);
		assert_int_equal(conf_maps_open(c, P_smtp_generic_maps, &m, &err), -1);
	}
	conf_free(c);
}

/* ---- credentials */

static int credential(struct conf *c, const char *relay, const char *sender, struct conf_credential *cr, struct error *err)
{
	struct conf_relay r;

	assert_int_equal(conf_parse_relay(c, relay, &r, err), 0);
	return conf_credential(c, &r, sender, cr, err);
}

static void password_forms(void **state)
{
	static const struct {
		const char *map, *relay, *user, *secret;
	} forms[] = {
		{"[smtp.gmail.com]:587 your@gmail.com:app-password", "[smtp.gmail.com]:587", "your@gmail.com", "app-password"},
		{"[smtp.gmail.com]:587    user:pass", "[smtp.gmail.com]:587", "user", "pass"},
		{"[smtp.gmail.com]:587\tuser:pass\r", "[smtp.gmail.com]:587", "user", "pass"},
		{"smtp.gmail.com user:pw", "[smtp.gmail.com]:587", "user", "pw"},
		{"smtp.sendgrid.net:2525 apikey:SG.KEY", "[smtp.sendgrid.net]:2525", "apikey", "SG.KEY"},
		{"[X.mail.protection.outlook.com] user:pw", "[x.mail.protection.outlook.com]:25", "user", "pw"},
		{"[h.example]:submission u:p", "[h.example]:587", "u", "p"},
		{"[h.example]:587 u:p", "[h.example]:submission", "u", "p"},
		{"[h.example]:smtps u:p", "[h.example]:465", "u", "p"},
		{"[h.example]:587 u:p", "h.example:587", "u", "p"},
		{"[h.example]:587 u:p", "[h.example]", "u", "p"},
		{"[H.Example]:587 u:p", "[h.example]:587", "u", "p"},
		{"[h]:587 user@x:abc!@#", "[h]:587", "user@x", "abc!@#"},
		{"[h]:587 AKIA:BLp+/x==", "[h]:587", "AKIA", "BLp+/x=="},
		{"[h]:587 u: p w'\"$:#x", "[h]:587", "u", " p w'\"$:#x"},
		{"[h]:587 u:p\xc3\xa9\\n", "[h]:587", "u", "p\xc3\xa9\\n"},
		{"[h]:587 u:/etc/tokens/token", "[h]:587", "u", "/etc/tokens/token"},
		{"[2001:db8::1]:587 u:p", "[2001:db8::1]:587", "u", "p"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct conf_credential cr;
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "# accounts\n\nother o:o\n%s\n", forms[i].map);
		put("sasl_passwd", text, 0600);
		c = load("smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:%D/sasl_passwd\n");
		if (credential(c, forms[i].relay, "me@x", &cr, &err) != 1)
			fail_msg("%s: %s", forms[i].map, err.text);
		assert_string_equal(buf_str(&cr.user), forms[i].user);
		assert_string_equal(buf_str(&cr.secret), forms[i].secret);
		assert_int_equal(cr.kind, 'P');
		assert_int_equal(strlen(cr.digest), 64);
		conf_credential_wipe(&cr);
		assert_int_equal(cr.secret.len, 0);
		conf_free(c);
	}
}

static void sender_dependent(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "user1@a.example user1:pw1\n@b.example b:pwb\n[h]:587 all:pw\n", 0600);
	c = load("smtp_sender_dependent_authentication = yes\nrecipient_delimiter = +\n"
		 "smtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "user1@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "user1");
	assert_string_equal(cr.key, "user1@a.example");
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "user1+x@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "user1");
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "any@b.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "b");
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "x@c.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "all");
	conf_credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "user1@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "all");
	conf_credential_wipe(&cr);
	conf_free(c);
}

/* Whose credential it is, without a look at any password. */
static void owners(void **state)
{
	static const struct {
		const char *conf, *sender, *owner;
	} all[] = {
		{"texthash:%D/sasl_passwd", "user1@a.example", "user1@a.example"},
		{"texthash:%D/sasl_passwd", "user1+x@a.example", "user1@a.example"},
		{"texthash:%D/sasl_passwd", "any@b.example", "@b.example"},
		{"texthash:%D/sasl_passwd", "x@c.example", ""},
		{"texthash:%D/sasl_passwd", "", ""},
		{"static:all:pw", "user1@a.example", ""},
		{"oauth2:%D/oauth2, texthash:%D/sasl_passwd", "user1@a.example", ""},
		{"texthash:%D/sasl_passwd, static:all:pw", "user1@a.example", "user1@a.example"},
		{"inline:{ user1@a.example=one:pw }", "user1@a.example", "user1@a.example"},
		{"inline:{ user1@a.example=one:pw }", "user2@a.example", ""},
		{"exec:/bin/true", "user1@a.example", "user1@a.example"},
		{"texthash:%D/none", "user1@a.example", "user1@a.example"},
	};
	char text[300], owner[LIMIT_ADDRESS + 1];

	(void)state;
	put("sasl_passwd", "user1@a.example user1:" SECRET "\n@b.example b:pwb\n[h]:587 all:pw\n", 0600);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct conf_maps *keys = NULL;
		struct conf *c;

		snprintf(text, sizeof(text), "smtp_sender_dependent_authentication = yes\nrecipient_delimiter = +\n"
			 "smtp_sasl_password_maps = %s\n", all[i].conf);
		c = load(text);
		conf_credential_owner(c, all[i].sender, &keys, owner, sizeof(owner));
		assert_string_equal(owner, all[i].owner);
		conf_credential_owner(c, all[i].sender, &keys, owner, sizeof(owner));
		assert_string_equal(owner, all[i].owner);
		conf_maps_free(keys);
		conf_free(c);
	}
}

static void owners_of_a_map_that_changes(void **state)
{
	char owner[LIMIT_ADDRESS + 1];
	struct conf_maps *keys = NULL;
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[h]:587 all:pw\n", 0600);
	c = load("smtp_sender_dependent_authentication = yes\nsmtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	conf_credential_owner(c, "a@a.example", &keys, owner, sizeof(owner));
	assert_string_equal(owner, "");
	put("sasl_passwd", "[h]:587 all:pw\na@a.example a:pw\n", 0600);
	conf_credential_owner(c, "a@a.example", &keys, owner, sizeof(owner));
	assert_string_equal(owner, "a@a.example");
	conf_maps_free(keys);
	conf_free(c);
}

static void static_password(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	c = load("smtp_sasl_password_maps = static:postmaster@mydomain.com:" SECRET "$$:x\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.secret), SECRET "$:x");
	conf_credential_wipe(&cr);
	chmod(at("main.cf"), 0644);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "main.cf holds a password and is open to everybody; type: ");
	assert_null(strstr(err.text, SECRET));
	conf_free(c);
	c = load("smtp_sasl_password_maps = inline:{ { [h]:587 = u:" SECRET " } }\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.secret), SECRET);
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[other]:587", "", &cr, &err), 0);
	conf_free(c);
}

static void no_password(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[smtp.exampel.com]:587 u:" SECRET "\n[h]:587 " SECRET "\n[i]:587 :" SECRET "\n", 0600);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[smtp.example.com]:587", "", &cr, &err), 0);
	assert_int_equal(error_exit(&err), EX_CONFIG);
	assert_says(err.text, "keys tried: smtp.example.com, [smtp.example.com]:587");
	assert_null(strstr(err.text, SECRET));
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "not user:password");
	assert_null(strstr(err.text, SECRET));
	assert_int_equal(credential(c, "[i]:587", "", &cr, &err), -1);
	assert_null(strstr(err.text, SECRET));
	put("sasl_passwd", "[h]:587 u:p\n" SECRET "\n", 0600);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	conf_credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_auth_enable = yes\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 0);
	assert_says(err.text, "not set in main.cf");
	conf_free(c);
	c = load("smtp_sasl_password_maps = hash:%D/other\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "there is a file");
	conf_free(c);
}

static void open_password_files(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[h]:587 u:" SECRET "\n", 0644);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "open to everybody; type: ch");
	assert_null(strstr(err.text, SECRET));
	chmod(at("sasl_passwd"), 0640);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	conf_credential_wipe(&cr);
	if (geteuid() == 0) {
		assert_int_equal(chown(at("sasl_passwd"), 0, 4242), 0);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, "a group that is not outpost's");
		assert_int_equal(chown(at("sasl_passwd"), 4242, 0), 0);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, "neither root nor outpost's");
	}
	conf_free(c);
}

static void mended_modes(void **state)
{
	struct error err = {0};
	struct stat st;
	struct conf *c;
	struct buf b;

	(void)state;
	if (geteuid() != 0)
		skip();
	buf_init(&b, 4096);
	put("sasl_passwd", "[h]:587 u:" SECRET "\n", 0600);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_says(buf_str(&b), "sasl_passwd is now root:4242 0640");
	assert_int_equal(stat(at("sasl_passwd"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, 4242);
	buf_reset(&b);
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(chmod(at("main.cf"), 0600), 0); /* nobody asks for a daemon that can't read it */
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_says(buf_str(&b), "main.cf is now root:4242 0640");
	buf_reset(&b);
	put("sasl_passwd", "x", 0644); /* everybody had it already: that is for a person to judge */
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	unlink(at("sasl_passwd"));
	put("elsewhere", "x", 0600);
	assert_int_equal(symlink("elsewhere", at("sasl_passwd")), 0);
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	conf_free(c);
	c = load("smtp_sasl_password_maps = static:u:" SECRET "\n");
	chmod(at("main.cf"), 0644);
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_int_equal(stat(at("main.cf"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_null(strstr(buf_str(&b), SECRET));
	conf_free(c);
	/* Somebody's own configuration names a file of root's: root, who looks into it, gives nothing away. */
	put("roots", "secret", 0600);
	assert_int_equal(mkdir(at("queue"), 0700), 0);
	assert_int_equal(chown(at("queue"), 4242, 4242), 0);
	put_main("queue_directory = %D/queue\nsmtp_sasl_password_maps = hash:%D/roots\n");
	assert_int_equal(chown(at("main.cf"), 4242, 0), 0);
	assert_int_equal(conf_load(dir, &c, &err), 0);
	assert_int_equal(conf_writer(c), 4242);
	assert_int_equal(conf_obey(c, &err), -1); /* we are still root */
	assert_int_equal(conf_mend_modes(c, 4242, &b, &err), 0);
	assert_int_equal(stat(at("roots"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_gid, 0);
	conf_free(c);
	buf_free(&b);
}

/* ---- programs that know passwords */

static void put_program(const char *text)
{
	char whole[2000];

	snprintf(whole, sizeof(whole), "#!/bin/sh\necho \"$@ $OUTPOST_KEY\" >>%s/runs\n%s\n", dir, text);
	put("program", whole, 0700);
	unlink(at("runs"));
}

static unsigned runs(void)
{
	struct error err;
	unsigned n = 0;
	struct buf b;

	buf_init(&b, 65536);
	if (io_read_file(at("runs"), false, &b, NULL, &err) == 0)
		for (size_t i = 0; i < b.len; i++)
			n += b.data[i] == '\n';
	buf_free(&b);
	return n;
}

static void exec_answers(void **state)
{
	static const struct {
		const char *map, *program, *user, *secret;
		char kind;
	} cases[] = {
		{"exec:%D/program", "echo me:" SECRET, "me", SECRET, 'P'},
		{"exec:%D/program", "printf 'me:a:b c '", "me", "a:b c ", 'P'},
		{"exec:%D/program", "test \"$1\" = '[h]:587' || exit 1; echo me:x", "me", "x", 'P'},
		{"exec:%D/program", "echo user=a:b; echo password=" SECRET, "a:b", SECRET, 'P'},
		{"exec:%D/program", "echo user=me; echo token=tok; echo expires=60", "me", "tok", 'T'},
		{"{exec:user=me@x %D/program show mail}", "test \"$*\" = 'show mail' || exit 9; echo 'pw:with=all'; echo url: x", "me@x",
		 "pw:with=all", 'P'},
		{"{exec:user=me kind=token %D/program %k}", "echo tok-$1", "me", "tok-h", 'T'},
		{"exec:%D/program", "echo $OUTPOST_KEY:$#", "h", "1", 'P'},
		{"exec:%D/program", "cat; echo noise >&2; echo me:in", "me", "in", 'P'},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_credential cr;
		struct error err = {0};
		char text[300];
		struct conf *c;

		put_program(cases[i].program);
		snprintf(text, sizeof(text), "smtp_sasl_password_maps = %s\n", cases[i].map);
		c = load(text);
		if (credential(c, "[h]:587", "", &cr, &err) != 1)
			fail_msg("%s: %s", cases[i].program, err.text);
		assert_string_equal(buf_str(&cr.user), cases[i].user);
		assert_string_equal(buf_str(&cr.secret), cases[i].secret);
		assert_int_equal(cr.kind, cases[i].kind);
		conf_credential_wipe(&cr);
		conf_free(c);
	}
}

static void exec_is_kept(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put_program("echo me:x; echo expires=60");
	c = load("smtp_sasl_password_maps = exec:%D/program\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_int_equal(runs(), 1);
	assert_true(conf_credential_refused(c, cr.kind));
	conf_credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_int_equal(runs(), 2);
	conf_credential_wipe(&cr);
	conf_free(c);
	put_program("echo me:x");
	c = load("smtp_sasl_password_maps = exec:%D/program\n");
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
		assert_int_equal(runs(), i);
		conf_credential_wipe(&cr);
	}
	assert_false(conf_credential_refused(c, 'P')); /* it was asked anew anyway */
	conf_free(c);
}

static void exec_failures(void **state)
{
	static const struct {
		const char *program, *words;
		int rc;
	} cases[] = {
		{"exit 1", "keys tried", 0}, {"true", "keys tried", 0}, {"exit 3", "failed with status 3", -1},
		{"echo nonsense", "did not say user:password", -1}, {"echo me:x; echo expires=soon", "expires=", -1},
		{"kill -9 $$", "ended by signal 9", -1}, {"sleep 30 & echo me:x; wait", "took more than 1 seconds", -1},
		{"yes | head -c 200000", "wrote more than 16384 bytes", -1},
	};
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_program(cases[i].program);
		c = load("smtp_sasl_password_maps = exec:%D/program\nsasl_exec_timeout = 1\n");
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), cases[i].rc);
		assert_says(err.text, cases[i].words);
		conf_free(c);
	}
	put_program("true");
	chmod(at("program"), 0707);
	c = load("smtp_sasl_password_maps = exec:%D/program\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "chmod o-w");
	unlink(at("program"));
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_int_equal(error_exit(&err), EX_CONFIG);
	conf_free(c);
}

static void credentials_directory(void **state)
{
	struct conf_credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	assert_int_equal(mkdir(at("given"), 0700), 0);
	put("given/sasl_passwd", "[h]:587 given:" SECRET "\n", 0400);
	put("sasl_passwd", "[h]:587 own:" SECRET "\n", 0600);
	put("other", "[h]:587 other:" SECRET "\n", 0600);
	setenv("CREDENTIALS_DIRECTORY", at("given"), 1);
	c = load("smtp_sasl_password_maps = hash:/nowhere/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "given");
	conf_credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_password_maps = hash:%D/other\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "other");
	conf_credential_wipe(&cr);
	conf_free(c);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void oauth2_files(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "user = "}, {"user = me\n", "client_id = "}, {"user = me\nclient_id = x\n", "preset = "},
		{"user = me\nclient_id = x\npreset = yahoo\n", "oauth2:3: preset is"}, {"me:" SECRET "\n", "oauth2:1: name = value"},
		{"user = me\nclient_id = x\ntoken_endpoint = http://x\n", "https://"},
		{"grant = password\n", "oauth2:1: grant is"}, {"clientid = " SECRET "\n", "oauth2:1: the name is none of"},
		{"user = me\nclient_id = x\npreset = microsoft\ngrant = client_credentials\n", "needs client_secret"},
	};
	struct conf_credential cr;
	char file[256], tokens[256];
	struct error err = {0};
	struct conf *c;

	(void)state;
#if !ENABLE_OAUTH2
	skip();		/* built with --disable-oauth2 */
#endif
	c = load("smtp_sasl_password_maps = oauth2:%D/oauth2, oauth2:%D/second\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("oauth2", bad[i].text, 0600);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, bad[i].words);
		assert_null(strstr(err.text, SECRET));
	}
	put("oauth2", "user = me@x\npreset = google\nclient_id = x\n", 0644);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "open to everybody");
	put("second", "user = you/x\npreset = microsoft\nclient_id = x\n", 0600);
	assert_int_equal(conf_oauth2_file(c, NULL, file, sizeof(file), tokens, sizeof(tokens), &err), 0);
	assert_string_equal(file, at("oauth2"));
	assert_string_equal(tokens, at("queue/oauth2-me@x"));
	assert_int_equal(conf_oauth2_file(c, "YOU/x", file, sizeof(file), tokens, sizeof(tokens), &err), 0);
	assert_string_equal(tokens, at("queue/oauth2-you_x"));
	assert_int_equal(conf_oauth2_file(c, "who", file, sizeof(file), tokens, sizeof(tokens), &err), -1);
	assert_says(err.text, "for user who");
	conf_free(c);
}

static void digests(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char sum[SHA256_SIZE];
		char hex[65];
		struct sha256 s;

		sha256_init(&s);
		sha256_add(&s, cases[i].text, strlen(cases[i].text));
		sha256_end(&s, sum);
		for (size_t j = 0; j < sizeof(sum); j++)
			snprintf(hex + 2 * j, 3, "%02x", sum[j]);
		assert_string_equal(hex, cases[i].hex);
	}
}

/* ---- TLS */

static struct conf_tls tls_of(const char *text, const char *relay)
{
	struct conf *c = load(text);
	struct conf_relay r;
	struct conf_tls t;
	struct error err = {0};
	struct buf notes;

	buf_init(&notes, sizeof(said) - 1);
	assert_int_equal(conf_parse_relay(c, relay, &r, &err), 0);
	if (conf_tls(c, &r, &t, &notes, &err) < 0)
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
		const char *text, *relay, *level;
	} cases[] = {
		{"", "[h]:587", "secure"}, {"smtp_use_tls = yes\n", "[h]:587", "secure"}, {"smtp_use_tls = no\n", "[h]:587", "none"},
		{"smtp_use_tls = no\nsmtp_tls_security_level = may\n", "[h]:587", "may"},
		{"smtp_use_tls = yes\nsmtp_tls_security_level =\n", "[h]:587", "secure"},
		{"smtp_enforce_tls = yes\nsmtp_use_tls = no\n", "[h]:587", "secure"},
		{"smtp_tls_security_level = ENCRYPT\n", "[h]:587", "encrypt"}, {"smtp_tls_security_level = dane\n", "[h]:587", "secure"},
		{"smtp_tls_security_level = may\n", "[h]:465", "encrypt"}, {"smtp_tls_security_level = verify\n", "[h]:465", "verify"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(tls_of(cases[i].text, cases[i].relay).level, cases[i].level);
	assert_string_equal(tls_of("", "[h]:587").match, "nexthop dot-nexthop");
	assert_string_equal(tls_of("smtp_tls_security_level = verify\n", "[h]:587").match, "hostname");
	assert_string_equal(tls_of("smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_cert_match = AA:BB, CC:DD\n",
				   "[h]:587").fingerprints, "AA:BB CC:DD");
	tls_of("smtp_tls_security_level = fingerprint\n", "[h]:587");
	assert_says(said, "smtp_tls_fingerprint_cert_match is empty");
}

static void tls_policy(void **state)
{
	static char long_policy[4000];
	struct conf_tls t;

	(void)state;
	put("policy", "[h.example]:587 may\n[fp.example]:587 fingerprint match=AA:BB match=CC:DD|EE:FF\n"
	    "v.example secure match=x.example:.y.example protocols=>=TLSv1.3 ciphers=high exclude=aNULL:3DES servername=z\n"
	    ".sub.example encrypt\nbad.example sure\n", 0644);
#define POLICY "smtp_tls_policy_maps = hash:%D/policy\n"
	assert_string_equal(tls_of(POLICY, "[h.example]:587").level, "may");
	assert_string_equal(tls_of(POLICY, "[h.example]:465").level, "secure");
	t = tls_of(POLICY, "[fp.example]:587");
	assert_string_equal(t.level, "fingerprint");
	assert_string_equal(t.fingerprints, "AA:BB CC:DD EE:FF");
	t = tls_of(POLICY, "[v.example]:587");
	assert_string_equal(t.match, "x.example .y.example");
	assert_string_equal(t.priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-ANON-DH:-ANON-ECDH:-3DES-CBC");
	assert_says(said, "servername has no effect");
	assert_string_equal(tls_of(POLICY, "[a.b.sub.example]:587").level, "encrypt");
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
	if (conf_tls_priority(protocols, grade, exclude, &out, &notes, &err) < 0)
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
		"aNULL, eNULL, EXPORT, DES, RC4, MD5, PSK, aECDH, EDH-DSS-DES-CBC3-SHA, EDH-RSA-DES-CBC3-SHA, KRB5-DES, CBC3-SHA",
		"AES128 AES256", "AES", "CAMELLIA", "CHACHA20:AESGCM", "SHA1,SHA256,SHA384", "kRSA aRSA", "DHE", "ECDHE", "aECDSA aDSS",
		"AESCCM AESCCM8 CAMELLIA128 CAMELLIA256", "ADH AECDH 3DES",
	};

	(void)state;
	assert_string_equal(priority(">=TLSv1.2", "medium", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("TLSv1.2", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.2");
	assert_string_equal(priority(">=TLSv1.1, <=TLSv1.2", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1");
	assert_string_equal(priority(">=0303", "high", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2");
	assert_string_equal(priority("", "", ""), "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0");
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
	struct conf_tls t;

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
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(syntax), T(last_line_without_newline), T(bad_lines), T(bad_values), T(missing_and_rights), T(expansion),
		T(own_names_are_not_unused), T(times_and_numbers), T(defaults_are_well_formed), T(origin), T(changed), T(changed_while_it_is_read),
		T(set_one), T(editing),
		T(nearest), T(tutorials), T(mistakes), T(relay_forms), T(relay_errors), T(several_relays), T(text_map), T(alias_map),
		T(static_and_inline), T(regexp_map), T(password_forms), T(sender_dependent), T(owners), T(owners_of_a_map_that_changes), T(static_password), T(no_password),
		T(open_password_files), T(mended_modes), T(exec_answers), T(exec_is_kept), T(exec_failures), T(credentials_directory),
		T(oauth2_files), T(digests), T(tls_levels), T(tls_policy), T(priorities), T(missing_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
