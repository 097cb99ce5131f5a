/* conf/load.c: the form of main.cf, who may write it, and when it has changed. */
#include "config.h"
#include "conf_fixture.h"
#include <sys/syscall.h>

static void syntax(void **state)
{
	struct conf *c;

	(void)state;
	c = load("# comment\n\nrelayhost = [a.example]:587\n  # comment "
		 "between\n\n\t[b.example]:587\nmyhostname=h.example\r\n"
		 "mydomain = \n  d.example\nbiff = no\n");
	assert_string_equal(conf_raw(c, P_relayhost), "[a.example]:587\t[b.example]:587");
	assert_string_equal(conf_str(c, P_myhostname), "h.example");
	assert_string_equal(conf_str(c, P_mydomain), "d.example");
	assert_int_equal(conf_line(c, P_relayhost), 3);
	assert_int_equal(conf_line(c, P_smtp_helo_name), 0);
	assert_true(conf_is_set(c, P_relayhost));
	assert_false(conf_is_set(c, P_myorigin));
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
	assert_says(conf_notes(c), "$nowhere stands for nothing");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(syntax), IN_DIRECTORY(last_line_without_newline), IN_DIRECTORY(bad_lines),
		IN_DIRECTORY(missing_and_rights), IN_DIRECTORY(own_names_are_not_unused), IN_DIRECTORY(changed),
		IN_DIRECTORY(changed_while_it_is_read), IN_DIRECTORY(set_one), IN_DIRECTORY(tutorials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
