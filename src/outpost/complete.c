/* complete.c: `outpost complete WORD ...`: what the last word may become; for the shells' completions. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "outpost/command.h"
#include "outpost/select.h"

static void offer(const char *word, const char *begin)
{
	if (strncmp(word, begin, strlen(begin)) == 0)
		printf("%s\n", word);
}

static void offer_commands(const char *begin)
{
	const struct command *const *list;
	size_t n;

	list = command_list(&n);
	for (size_t i = 0; i < n; i++)
		if (*list[i]->help)
			offer(list[i]->name, begin);
}

static void offer_options(const struct command *cmd, const char *begin)
{
	char word[64];

	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		offer(word, begin);
	}
	offer("--help", begin);
	offer("--config", begin);
}

static void offer_parameters(const char *begin)
{
	for (int i = 0; i < CONF_PARAMS; i++)
		offer(conf_table[i].name, begin);
}

/* Ids of the queue, where we may read it; silence otherwise. */
static void offer_ids(struct context *c, const char *begin)
{
	struct queue_filter f = {.states = "qhf"};
	struct selection chosen = {0};
	struct error ignored = {0};
	struct queue *q;

	if (context_read_queue(c, &q, &ignored) < 0 || !q)
		return;
	if (select_all(q, &f, &chosen, &ignored) == 0)
		for (size_t i = 0; i < chosen.n; i++)
			offer(chosen.ids[i], begin);
	select_free(&chosen);
	queue_close(q);
}

static int run(struct context *c)
{
	const char *begin = c->argc > 0 ? c->argv[c->argc - 1] : "";
	const struct command *cmd = c->argc > 1 ? command_find(c->argv[0]) : NULL;

	if (c->argc <= 1)
		offer_commands(begin);
	else if (cmd && begin[0] == '-')
		offer_options(cmd, begin);
	else if (cmd && strcmp(cmd->name, "config") == 0)
		offer_parameters(begin);
	else if (cmd && strcmp(cmd->name, "import") == 0)
		for (const char *const *w = (const char *const[]){"postfix", "msmtp", "nullmailer", "ssmtp", NULL}; *w; w++)
			offer(*w, begin);
	else if (cmd && strstr(cmd->args, "ID"))
		offer_ids(c, begin);
	return EX_OK;
}

const struct command command_complete = {
	.name = "complete",
	.args = "-- WORD ...",
	.help = "",
	.max_args = -1,
	.run = run,
};
