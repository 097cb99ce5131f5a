/* outpost: the administrator's command. Finds the subcommand, reads its options by its table, runs it. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/proc.h"
#include "base/text.h"
#include "base/trust.h"
#include "outpost/command.h"
#include "outpost/postfix/postfix_names.h"

#define COMMAND(name) &command_##name,
static const struct command *const commands[] = {
#include "outpost/commands.def"
};
#undef COMMAND

enum { OPTION_MARGIN = 29 };
enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

const struct command *const *command_list(size_t *n)
{
	*n = NCOMMANDS;
	return commands;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_option(const struct command_option *o)
{
	char left[64];
	int n;

	if (o->letter)
		n = snprintf(left, sizeof(left), "-%c, --%s", o->letter, o->name);
	else
		n = snprintf(left, sizeof(left), "    --%s", o->name);
	if (o->arg && n > 0 && (size_t)n < sizeof(left))
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
	n = printf("  %-26s ", left);
	words_wrap(o->help, n > 0 ? (size_t)n : 0, OPTION_MARGIN);
}

static void print_command_help(const struct command *cmd)
{
	static const struct command_option everywhere[] = {
		{"config", 'C', "DIR", "the configuration in DIR instead of " SYSCONFDIR},
		{"help", 'h', NULL, "this text"},
		{NULL, 0, NULL, NULL},
	};

	printf("outpost %s%s%s%s\n\n%s.\n", cmd->name, cmd->options ? " [OPTION ...]" : "", *cmd->args ? " " : "",
	       cmd->args, cmd->help);
	if (cmd->more) {
		printf("\n");
		words_wrap(cmd->more, 0, 0);
	}
	printf("\n");
	for (const struct command_option *o = cmd->options; o && o->name; o++)
		print_option(o);
	for (const struct command_option *o = everywhere; o->name; o++)
		print_option(o);
}

static void print_help(void)
{
	printf("outpost [-C DIR] COMMAND [OPTION ...]\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (*commands[i]->help)
			printf("  %-10s %s\n", commands[i]->name, commands[i]->help);
	printf("\n`outpost COMMAND --help` says more; so does outpost(8).\n");
}

static int find_option(const struct command_option *options, const char *name, size_t n, char letter)
{
	for (int i = 0; options && options[i].name; i++) {
		if (letter ? options[i].letter == letter
			   : strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

bool option_given(const struct context *c, const char *name)
{
	int i = find_option(c->command->options, name, strlen(name), 0);

	return i >= 0 && c->given[i];
}

const char *option_value(const struct context *c, const char *name)
{
	int i = find_option(c->command->options, name, strlen(name), 0);

	return i >= 0 ? c->given[i] : NULL;
}

/* The argument of an option: behind '=' or the letter, or the next word. */
static const char *option_argument(const char *attached, int *i, int argc, char **argv)
{
	if (attached)
		return attached;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

void command_use_config(struct context *c, const char *dir)
{
	c->dir = dir;
	c->own = strcmp(dir, SYSCONFDIR) != 0;
}

enum { PARSE_GO = -1 };

/* One --word, with or without "=value". */
static int parse_long(struct context *c, const char *word, int *i, int argc, char **argv)
{
	const char *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) : strlen(word);
	const struct command_option *o;
	const char *value = "";
	int at;

	if (n == 4 && memcmp(word, "help", n) == 0) {
		print_command_help(c->command);
		return EX_OK;
	}
	if (n == 6 && memcmp(word, "config", n) == 0) {
		value = option_argument(eq ? eq + 1 : NULL, i, argc, argv);
		if (!value)
			return fail_usage(c, "--config wants a directory");
		command_use_config(c, value);
		return PARSE_GO;
	}
	at = find_option(c->command->options, word, n, 0);
	if (at < 0)
		return fail_usage(c, "unknown option --%.*s", (int)n, word);
	o = &c->command->options[at];
	if (!o->arg && eq)
		return fail_usage(c, "--%s takes no argument", o->name);
	if (o->arg)
		value = option_argument(eq ? eq + 1 : NULL, i, argc, argv);
	if (!value)
		return fail_usage(c, "--%s wants %s", o->name, o->arg);
	c->given[at] = value;
	return PARSE_GO;
}

/* One word of letters, the last of which may take an argument. */
static int parse_letters(struct context *c, const char *letters, int *i, int argc, char **argv)
{
	for (const char *p = letters; *p; p++) {
		int at = find_option(c->command->options, NULL, 0, *p);
		bool config = at < 0 && *p == 'C';
		const char *value = "";

		if (at < 0 && *p == 'h') {
			print_command_help(c->command);
			return EX_OK;
		}
		if (at < 0 && !config)
			return fail_usage(c, "unknown option -%c", *p);
		if (config || c->command->options[at].arg) {
			value = option_argument(p[1] ? p + 1 : NULL, i, argc, argv);
			if (!value)
				return fail_usage(c, "-%c wants an argument", *p);
			p = "x";
		}
		if (config)
			command_use_config(c, value);
		else
			c->given[at] = value;
	}
	return PARSE_GO;
}

/* Options may stand anywhere; "--" ends them. */
static int parse_command_line(struct context *c, int argc, char **argv)
{
	int rc = PARSE_GO;
	bool options = true;

	c->argv = argv;
	for (int i = 0; i < argc && rc == PARSE_GO; i++) {
		const char *word = argv[i];

		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strncmp(word, "--", 2) == 0)
			rc = parse_long(c, word + 2, &i, argc, argv);
		else if (options && word[0] == '-' && word[1])
			rc = parse_letters(c, word + 1, &i, argc, argv);
		else
			c->argv[c->argc++] = argv[i];
	}
	if (rc != PARSE_GO)
		return rc;
	if (c->argc < c->command->min_args)
		return fail_usage(c, "%s wants %s", c->command->name, c->command->args);
	if (c->command->max_args >= 0 && c->argc > c->command->max_args)
		return fail_usage(c, "too many arguments from \"%s\" on", c->argv[c->command->max_args]);
	return PARSE_GO;
}

/* Root runs no configuration of others, and edits none: it becomes who controls main.cf. */
static int settle_rights(const struct context *c)
{
	char path[PATH_MAX];
	struct error err;

	if (snprintf(path, sizeof(path), "%s/main.cf", c->dir) >= (int)sizeof(path))
		error_set(&err, REASON_USAGE, "the name of the configuration directory is too long");
	else if (trust_become(path, &err) == 0)
		return 0;
	return fail(&err);
}

int command_run(struct context *c, int argc, char **argv)
{
	int rc = parse_command_line(c, argc, argv);

	if (rc == PARSE_GO && settle_rights(c) != 0)
		return EX_NOPERM;
	if (rc == PARSE_GO)
		rc = c->command->run(c);
	conf_free(c->conf);
	if (fflush(stdout) != 0 && rc == EX_OK)
		rc = EX_IOERR;
	return rc;
}

static const char *nearest_command(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strncmp(commands[i]->name, name, 2) == 0)
			return commands[i]->name;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *near = nearest_command(name);

	fprintf(stderr, "outpost: no command \"%s\"%s%s%s; `outpost help` lists them\n", name,
		near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	struct context c = {.dir = SYSCONFDIR};
	const char *env = getenv("MAIL_CONFIG");
	int i = 1, status;

	if (io_standard_fds() < 0)
		return EX_OSERR;
	proc_settle();
	if (env && *env)
		command_use_config(&c, env);
	if (postfix_name(&c, argc, argv, &status))
		return status;
	if (i + 1 < argc && strcmp(argv[i], "-C") == 0) {
		command_use_config(&c, argv[i + 1]);
		i += 2;
	}
	if (i >= argc) {
		print_help();
		return EX_USAGE;
	}
	if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
		printf("outpost %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	if (strcmp(argv[i], "help") == 0 && i + 1 < argc && command_find(argv[i + 1])) {
		print_command_help(command_find(argv[i + 1]));
		return EX_OK;
	}
	if (strcmp(argv[i], "help") == 0 && i + 1 < argc)
		return unknown_command(argv[i + 1]);
	if (strcmp(argv[i], "help") == 0 || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
		print_help();
		return EX_OK;
	}
	c.command = command_find(argv[i]);
	if (!c.command)
		return unknown_command(argv[i]);
	return command_run(&c, argc - i - 1, argv + i + 1);
}
