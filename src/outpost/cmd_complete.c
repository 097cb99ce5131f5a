/* cmd_complete.c: `outpost complete WORD ...`: what the last word may become, for the completion of shells. */
#include "config.h"

#include <string.h>

#include "base/text.h"
#include "outpost/command.h"
#include "outpost/messages/print_history.h"

/* The values of an option that is the word before, for all commands that have it; its letter as well. */
static const struct {
	const char *option, *values;
} option_values[] = {
	{"sort", "age size attempts sender"},
	{"event", EVENT_KINDS},
	{"older-than", "15m 1h 12h 1d 3d 1w"},
	{"since", "15m 1h 12h 1d 3d"},
};

static void offer(const char *begin, struct span word)
{
	size_t n = strlen(begin);

	if (word.n >= n && memcmp(word.p, begin, n) == 0)
		printf("%.*s\n", (int)word.n, word.p);
}

static void offer_words(const char *begin, const char *words)
{
	struct span rest = span_of(words), word;

	while (span_word(&rest, " ", &word))
		offer(begin, word);
}

static void offer_commands(const char *begin)
{
	const struct command *const *list;
	size_t n;

	list = command_list(&n);
	for (size_t i = 0; i < n; i++)
		if (*list[i]->help)
			offer(begin, span_of(list[i]->name));
	offer_words(begin, "help");
}

static void offer_options(const struct command *cmd, const char *begin)
{
	char word[64];

	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		offer(begin, span_of(word));
	}
	offer_words(begin, "--help --config");
}

static void offer_arguments(const struct command *cmd, const char *begin)
{
	if (cmd == &command_import)
		offer_words(begin, "postfix msmtp nullmailer dma ssmtp");
	for (int i = 0; cmd == &command_config && i < CONF_PARAMS; i++)
		offer(begin, span_of(conf_table[i].name));
}

/* Whether the word before is an option with an argument, which this is then. */
static bool offer_values(const struct command *cmd, const char *before, const char *begin)
{
	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		char letter[] = {'-', o->letter, '\0'};

		if (!o->arg || (strcmp(before, letter) != 0 && (strncmp(before, "--", 2) != 0 || strcmp(before + 2, o->name) != 0)))
			continue;
		for (size_t i = 0; i < sizeof(option_values) / sizeof(option_values[0]); i++)
			if (strcmp(option_values[i].option, o->name) == 0)
				offer_words(begin, option_values[i].values);
		return true;
	}
	return false;
}

static int run(struct context *c)
{
	const char *begin = c->argc > 0 ? c->argv[c->argc - 1] : "";
	const struct command *cmd = c->argc > 1 ? command_find(c->argv[0]) : NULL;

	if (c->argc <= 1 || (c->argc == 2 && strcmp(c->argv[0], "help") == 0))
		offer_commands(begin);
	else if (!cmd || offer_values(cmd, c->argv[c->argc - 2], begin))
		;
	else if (begin[0] == '-')
		offer_options(cmd, begin);
	else
		offer_arguments(cmd, begin);
	return EX_OK;
}

const struct command command_complete = {
	.name = "complete",
	.args = "-- WORD ...",
	.help = "",
	.max_args = -1,
	.run = run,
};
