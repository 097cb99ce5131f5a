/* options.c: a subcommand's options by its table: reading them, and the help that lists them. */
#include "config.h"

#include <string.h>

#include "outpost/command.h"

enum { OPTION_MARGIN = 29 };

/* What every subcommand understands besides. */
enum { CONFIG, HELP };
static const struct command_option everywhere[] = {
	[CONFIG] = {"config", 'C', "DIR", "the configuration in DIR instead of " SYSCONFDIR},
	[HELP] = {"help", 'h', NULL, "this text"},
	{NULL, 0, NULL, NULL},
};

static void print_option(const struct command_option *o)
{
	char left[64], letter[] = "-x, ";
	int n;

	letter[1] = o->letter;
	snprintf(left, sizeof(left), "%s--%s%s%s", o->letter ? letter : "    ", o->name, o->arg ? " " : "",
		 o->arg ? o->arg : "");
	n = printf("  %-26s ", left);
	words_wrap(o->help, n > 0 ? (size_t)n : 0, OPTION_MARGIN);
}

void options_help(const struct command *cmd)
{
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

/* By letter, or with letter 0 by name. */
static const struct command_option *find_option(const struct command_option *o, const char *name, size_t n, char letter)
{
	for (; o && o->name; o++)
		if (letter ? o->letter == letter : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

const char *option_value(const struct context *c, const char *name)
{
	const struct command_option *o = find_option(c->command->options, name, strlen(name), 0);

	return o ? c->given[o - c->command->options] : NULL;
}

bool option_given(const struct context *c, const char *name)
{
	return option_value(c, name) != NULL;
}

/* The words of a command line, as far as they were read. */
struct line {
	struct context *c;
	char **next, **end;
};

/* One option: its argument is attached, after '=' or the letter, or is the next word. */
static int take_option(struct line *l, const char *name, size_t n, char letter, const char *attached)
{
	struct context *c = l->c;
	const struct command_option *own = find_option(c->command->options, name, n, letter);
	const struct command_option *o = own ? own : find_option(everywhere, name, n, letter);
	const char *value = attached ? attached : "", *dashes = letter ? "-" : "--";

	if (!o)
		return fail_usage(c, "unknown option %s%.*s", dashes, (int)n, name);
	if (!o->arg && attached)
		return fail_usage(c, "--%s takes no argument", o->name);
	if (o->arg && !attached && l->next == l->end)
		return fail_usage(c, "%s%.*s wants %s", dashes, (int)n, name, o->arg);
	if (o->arg && !attached)
		value = *l->next++;
	if (own)
		c->given[own - c->command->options] = value;
	else if (o == &everywhere[CONFIG])
		command_use_config(c, value);
	else
		options_help(c->command);
	return own || o == &everywhere[CONFIG] ? OPTIONS_GO : EX_OK;
}

static int take_long(struct line *l, const char *word)
{
	const char *eq = strchr(word, '=');

	return take_option(l, word, strcspn(word, "="), 0, eq ? eq + 1 : NULL);
}

/* A word of letters, the last of which may take an argument. */
static int take_letters(struct line *l, const char *p)
{
	int rc = OPTIONS_GO;

	for (; rc == OPTIONS_GO && *p; p++) {
		const struct command_option *o = find_option(l->c->command->options, NULL, 0, *p);
		bool argument = o ? o->arg != NULL : *p == everywhere[CONFIG].letter;

		rc = take_option(l, p, 1, *p, argument && p[1] ? p + 1 : NULL);
		if (argument)
			break;
	}
	return rc;
}

int options_read(struct context *c, int argc, char **argv)
{
	struct line l = {c, argv, argv + argc};
	bool options = true;
	int rc = OPTIONS_GO;

	c->argv = argv;
	while (rc == OPTIONS_GO && l.next < l.end) {
		char *word = *l.next++;

		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strncmp(word, "--", 2) == 0)
			rc = take_long(&l, word + 2);
		else if (options && word[0] == '-' && word[1])
			rc = take_letters(&l, word + 1);
		else
			c->argv[c->argc++] = word;
	}
	if (rc != OPTIONS_GO)
		return rc;
	if (c->argc < c->command->min_args)
		return fail_usage(c, "%s wants %s", c->command->name, c->command->args);
	if (c->command->max_args >= 0 && c->argc > c->command->max_args)
		return fail_usage(c, "too many arguments from \"%s\" on", c->argv[c->command->max_args]);
	return OPTIONS_GO;
}
