/* src/maps: text files, aliases, static, inline, regexp and pcre. */
#include "config.h"
#include "conf_fixture.h"

static const char *look(struct conf *c, enum conf_param p, const char *key)
{
	static char room[2048];
	struct maps *m = NULL;
	struct error err = {0};
	struct buf b;
	int rc;

	buf_init(&b, sizeof(room) - 1);
	if (maps_open(conf_map_list(c, p), &m, &err) < 0)
		fail_msg("%s", err.text);
	rc = maps_get(m, key, &b, &err);
	assert_false(maps_changed(m));
	maps_free(m);
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
	put("generic",
	    "# comment\nroot@h.example   ops@example.com\n\n@h.example\tall@example.com\n  # c\nRoot2 a@b,\n   c@d\n"
	    "\"with blank\" v\nroot@h.example second\n",
	    0644);
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
		struct maps *m;
		struct error err = {0};

		assert_int_equal(maps_open(conf_map_list(c, P_canonical_maps), &m, &err), -1);
		assert_int_equal(error_exit(&err), EX_CONFIG);
		assert_says(err.text, "canonical_maps: cannot open");
		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), 0);
		put("generic", "new x\n", 0644);
		assert_true(maps_changed(m));
		maps_free(m);
		put("generic", "key-without-value\n", 0644);
		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), 0);
		maps_free(m);
		assert_int_equal(maps_open(conf_map_list(c, P_always_bcc), &m, &err), 0);
		assert_null(m);
	}
	conf_free(c);
}

static void alias_map(void **state)
{
	struct conf *c;

	(void)state;
	put("aliases",
	    "root: ops@example.com\n# x\nlist : a,\n\tb\n\"odd name\":c\npipe: \"|/bin/x\"\nno colon here\nWww:root\n",
	    0644);
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
	put("re",
	    "# c\n/^root@(.*)\\.local$/ ops+$1@example.com\n!/@/ none\nif /@b\\.example$/\n/^x/  ${1}inside$$\nif "
	    "/^y/\n/^yy/ deep\n"
	    "endif\nendif\n/^CASE@/i  sensitive\n|^a/b@|  slash\n/^(.+)@lan$/ $(1)@wan\n",
	    0644);
	c = load("smtp_generic_maps = regexp:%D/re\nsmtp_sasl_password_maps = regexp:%D/pw\nalias_maps = "
		 "regexp:%D/re2\n");
	put("re2", "/^bo/  $$1boss\n!/@/ none\n", 0644);
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
	assert_string_equal(look(c, P_alias_maps, "bob"), "$1boss");
	conf_free(c);
	put("pc", "/^\\w+@(?:x)/ y\n", 0644);
	c = load("smtp_generic_maps = pcre:%D/pc\n");
	{
		struct maps *m;
		struct error err = {0};

		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), -1);
		assert_says(err.text, "pc:1: this pattern needs Perl's");
		put("pc", "/^([\\w.]+)\\d@h$/ $1@x\n", 0644);
		assert_string_equal(look(c, P_smtp_generic_maps, "a.b7@h"), "a.b@x");
		put("pc", "/(/ x\n", 0644);
		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), -1);
		put("pc", "endif\n", 0644);
		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), -1);
		put("pc", "/open x\n", 0644);
		assert_int_equal(maps_open(conf_map_list(c, P_smtp_generic_maps), &m, &err), -1);
	}
	conf_free(c);
}

/* Nobody chooses a relay, or a list to be included, by the address that they write. */
static void no_text_of_the_key(void **state)
{
	static const enum conf_param fixed[] = {P_sender_dependent_relayhost_maps, P_alias_maps};
	static const char *const results[] = {"[$1]:587", "[${1}]:587", "$(2)", "$$$1"};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct conf *c;
		char rule[100];

		snprintf(rule, sizeof(rule), "# c\n/^(.*)@(.*)$/ %s\n", results[i]);
		put("re", rule, 0644);
		c = load("sender_dependent_relayhost_maps = regexp:%D/re\nalias_maps = pcre:%D/re\n"
			 "canonical_maps = regexp:%D/re\n");
		assert_non_null(look(c, P_canonical_maps, "a@b"));
		for (size_t k = 0; k < 2; k++) {
			struct error err = {0};
			struct maps *m;

			assert_int_equal(maps_open(conf_map_list(c, fixed[k]), &m, &err), -1);
			assert_int_equal(err.reason, REASON_CONFIG);
			assert_says(err.text, "re:2: $1 cannot be used here");
		}
		conf_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(text_map), IN_DIRECTORY(alias_map), IN_DIRECTORY(static_and_inline),
		IN_DIRECTORY(regexp_map), IN_DIRECTORY(no_text_of_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
