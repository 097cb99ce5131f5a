/* outpost config: shows parameters, and edits main.cf in place. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/text/text.h"
#include "outpost/command.h"

enum { MAX_RELAYS = 16 };

static int by_name(const void *a, const void *b)
{
	return strcmp(conf_table[*(const int *)a].name, conf_table[*(const int *)b].name);
}

static void print_parameter_json(struct context *c, int p, const char *value)
{
	struct buf b;

	buf_init(&b, LIMIT_CONF_FILE * 4);
	buf_addc(&b, '{');
	text_json_member(&b, "name", conf_table[p].name);
	text_json_member(&b, "value", value);
	text_json_member(&b, "default", conf_table[p].def);
	term_print("%s, \"set\": %s, \"line\": %u}\n", buf_str(&b),
		   conf_is_set(c->conf, (enum conf_param)p) ? "true" : "false", conf_line(c->conf, (enum conf_param)p));
	buf_wipe(&b);
}

/* A password that stands in main.cf itself is shown only to whoever asks for just this parameter. A default that is
 * found out (myhostname) is shown as what was found. */
static void print_parameter(struct context *c, int p, bool asked_for)
{
	bool json = option_given(c, "json"),
	     expand = option_given(c, "expand") || !*conf_raw(c->conf, (enum conf_param)p);
	struct buf value;

	buf_init(&value, LIMIT_CONF_FILE);
	if (option_given(c, "defaults"))
		buf_adds(&value, conf_table[p].def);
	else if (asked_for && !json)
		buf_adds(&value,
			 expand ? conf_str(c->conf, (enum conf_param)p) : conf_raw(c->conf, (enum conf_param)p));
	else
		conf_shown(c->conf, (enum conf_param)p, expand, &value);
	if (json)
		print_parameter_json(c, p, buf_str(&value));
	else if (option_given(c, "value"))
		term_print("%s\n", buf_str(&value));
	else
		term_print("%s =%s%s\n", conf_table[p].name, value.len ? " " : "", buf_str(&value));
	buf_wipe(&value);
}

static int print_all(struct context *c)
{
	int order[CONF_PARAMS];

	for (int p = 0; p < CONF_PARAMS; p++)
		order[p] = p;
	qsort(order, CONF_PARAMS, sizeof(order[0]), by_name);
	for (int i = 0; i < CONF_PARAMS; i++)
		if (!option_given(c, "changed") || conf_is_set(c->conf, (enum conf_param)order[i]))
			print_parameter(c, order[i], false);
	return EX_OK;
}

static int unknown_name(const char *name)
{
	const char *nearest = conf_nearest(name);
	struct error err;

	if (conf_postfix_knows(name))
		error_set(&err, REASON_DATA, "%s is a parameter of Postfix that has no use here", name);
	else if (nearest)
		error_set(&err, REASON_DATA, "there is no parameter %s; did you mean %s?", name, nearest);
	else
		error_set(&err, REASON_DATA, "there is no parameter %s", name);
	return fail(&err);
}

static int print_named(struct context *c)
{
	int rc = EX_OK;

	for (int i = 0; i < c->argc; i++) {
		int p = conf_find(c->argv[i]);

		if (p >= 0)
			print_parameter(c, p, true);
		else
			rc = unknown_name(c->argv[i]);
	}
	return rc;
}

/* ---- editing */

/* A value is judged by the configuration as it is, or by the defaults when that is what has to be fixed. */
static int judge(struct context *c, const char *name, const char *value, struct error *err)
{
	struct relayhost relays[MAX_RELAYS];
	struct error broken;

	if (!c->conf && conf_load(c->dir, &c->conf, &broken) < 0 && conf_defaults(c->dir, &c->conf, err) < 0)
		return -1;
	if (conf_set(c->conf, name, value, err) < 0)
		return -1;
	if (strcmp(name, "relayhost") != 0 && strcmp(name, "smtp_fallback_relay") != 0)
		return 0;
	return relayhost_list(c->conf, relays, MAX_RELAYS, err) < 0 ? -1 : 0;
}

/* The text with one name changed as the options say. */
static int apply(struct context *c, struct span text, const char *name, const char *value, struct buf *out,
		 struct error *err)
{
	if (option_given(c, "remove"))
		return conf_edit(text, name, NULL, out, err);
	return judge(c, name, value, err) < 0 ? -1 : conf_edit(text, name, value, out, err);
}

static int edit_one(struct context *c, struct buf *text, const char *word, struct error *err)
{
	const char *eq = strchr(word, '=');
	struct span name = span_trim((struct span){word, eq ? (size_t)(eq - word) : strlen(word)});
	struct span value = eq ? span_trim(span_of(eq + 1)) : span_of("");
	char *n = span_dup(name), *v = span_dup(value);
	struct buf out;
	int rc = -1;

	buf_init(&out, LIMIT_CONF_FILE);
	if (!n || !v)
		error_set(err, REASON_SYSTEM, "out of memory");
	else if (apply(c, (struct span){buf_str(text), text->len}, n, v, &out, err) >= 0) {
		buf_reset(text);
		rc = buf_add(text, buf_str(&out), out.len);
	}
	if (v)
		explicit_bzero(v, strlen(v));
	free(n);
	free(v);
	buf_wipe(&out);
	return rc;
}

/* The new file is read back as a whole; what it can't be read as is taken back. */
static int replace(struct context *c, const char *path, const struct buf *old, const struct buf *text, bool was_good,
		   struct error *err)
{
	struct conf *again = NULL;

	if (io_replace_file(path, buf_str(text), text->len, 0644, err) < 0)
		return -1;
	if (conf_load(c->dir, &again, err) < 0) {
		if (!was_good)
			return 0; /* one mistake of several was fixed */
		io_replace_file(path, buf_str(old), old->len, 0644, &(struct error){0});
		return error_prefix(err, "main.cf is unchanged");
	}
	conf_free(again);
	return 0;
}

static int edit_text(struct context *c, const char *path, struct buf *old, struct buf *text, struct error *err)
{
	struct conf *before = NULL;
	struct error broken = {0};
	bool was_good;

	if (io_read_file(path, false, old, NULL, &broken) < 0 && error_exit(&broken) != EX_NOINPUT) {
		*err = broken;
		return -1;
	}
	was_good = conf_load(c->dir, &before, &broken) == 0;
	conf_free(before);
	buf_add(text, buf_str(old), old->len);
	for (int i = 0; i < c->argc; i++)
		if (edit_one(c, text, c->argv[i], err) < 0)
			return -1;
	if (text->len == old->len && memcmp(buf_str(text), buf_str(old), old->len) == 0)
		return 0;
	return replace(c, path, old, text, was_good, err);
}

/* It was written, for who reads the same file with Postfix; nobody is to believe that it does anything. */
static void say_useless(const char *word)
{
	char *name = span_dup(span_trim((struct span){word, strcspn(word, "=")}));

	if (name && conf_find(name) < 0 && conf_postfix_knows(name))
		fprintf(stderr, "outpost: %s was written, but is a parameter of Postfix that has no use here\n", name);
	free(name);
}

static int edit(struct context *c)
{
	struct buf old, text;
	struct error err = {0};
	char path[4200], real[PATH_MAX];
	int rc;

	if (access(c->dir, W_OK) < 0 && errno == EACCES) {
		error_sys(&err, REASON_PERMISSION, "%s cannot be written (run this as root)", c->dir);
		return fail(&err);
	}
	snprintf(path, sizeof(path), "%s/main.cf", c->dir);
	if (realpath(path, real)) /* a link stays: what it leads to is edited */
		snprintf(path, sizeof(path), "%s", real);
	buf_init(&old, LIMIT_CONF_FILE);
	buf_init(&text, LIMIT_CONF_FILE);
	rc = edit_text(c, path, &old, &text, &err);
	buf_wipe(&old);
	buf_wipe(&text);
	if (rc < 0)
		return fail(&err);
	for (int i = 0; i < c->argc && !option_given(c, "remove"); i++)
		say_useless(c->argv[i]);
	return EX_OK;
}

static bool wants_edit(const struct context *c)
{
	for (int i = 0; i < c->argc; i++)
		if (strchr(c->argv[i], '='))
			return true;
	return option_given(c, "remove") || option_given(c, "edit");
}

static int run(struct context *c)
{
	struct error err = {0};
	int rc;

	if (wants_edit(c)) {
		for (int i = 0; i < c->argc && !option_given(c, "remove"); i++)
			if (!strchr(c->argv[i], '='))
				return fail_usage(c, "%s is not NAME=VALUE; a value with blanks is to be quoted: "
						     "'NAME=VALUE'", c->argv[i]);
		if (!c->argc)
			return fail_usage(c, option_given(c, "remove") ? "the names of what is to go are missing"
							   : "NAME=VALUE is missing");
		return edit(c);
	}
	rc = option_given(c, "defaults") ? conf_defaults(c->dir, &c->conf, &err) : context_conf(c, &err);
	if (rc < 0)
		return fail(&err);
	return c->argc ? print_named(c) : print_all(c);
}

static const struct command_option options[] = {
	{"changed", 'n', NULL, "only what main.cf sets"},
	{"defaults", 'd', NULL, "the defaults, whatever main.cf sets"},
	{"expand", 'x', NULL, "with $name replaced by what it stands for"},
	{"value", 0, NULL, "values without their names"},
	{"remove", 'X', NULL, "remove the settings of these names from main.cf"},
	{"edit", 'e', NULL, "for postconf's sake: NAME=VALUE edits anyway"},
	{"json", 'j', NULL, "one JSON object per line"},
	{NULL, 0, NULL, NULL},
};

const struct command command_config = {
	.name = "config",
	.args = "[NAME | NAME=VALUE ...]",
	.help = "show or change the configuration",
	.more = "Without a name all parameters are shown. NAME=VALUE is written into main.cf: checked first, "
		"comments kept,\n"
		"the file replaced as a whole. A running outpostd takes the change up by itself. main.cf(5) explains "
		"each name.\n",
	.options = options,
	.max_args = -1,
	.run = run,
};
