/*
 * cmd_complete.c: `outpost complete WORD ...`: what the last word may become; for the shells' completions. bash parts words at
 * '=' ("--sort" "=" "si"), zsh does not ("--sort=si"); both are understood.
 */
#include "config.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "outpost/command.h"
#include "outpost/messages/print_history.h"
#include "outpost/messages/select_messages.h"

enum { IDS_SHOWN = 500 };

/* What an option's argument may be, for all commands that have an option of this name. "": none that can be listed. */
static const struct {
	const char *option, *values;
} option_values[] = {
	{"sort", "age size attempts sender"},
	{"event", EVENT_KINDS},
	{"older-than", "15m 1h 12h 1d 3d 1w"},
	{"since", "15m 1h 12h 1d 3d"},
};

/* Messages in which states (queue_filter) a command's ids can mean. */
static const struct {
	const char *command, *states;
} id_states[] = {{"hold", "q"}, {"release", "h"}, {"retry", "qf"}, {"delete", "qhf"}, {"show", "qhf"}, {"log", "qhf"}, {"export", "qhf"}};

/* The word as the shell has it begins with `before`, which is no part of the value. */
struct typed {
	const char *before;
	size_t nbefore;
	const char *begin;
};

static void offer(const struct typed *t, struct span word)
{
	size_t n = strlen(t->begin);

	if (word.n >= n && memcmp(word.p, t->begin, n) == 0)
		printf("%.*s%.*s\n", (int)t->nbefore, t->before, (int)word.n, word.p);
}

static void offer_words(const struct typed *t, const char *words)
{
	struct span rest = span_of(words), word;

	while (span_word(&rest, " ", &word))
		offer(t, word);
}

static void offer_commands(const struct typed *t)
{
	const struct command *const *list;
	size_t n;

	list = command_list(&n);
	for (size_t i = 0; i < n; i++)
		if (*list[i]->help)
			offer(t, span_of(list[i]->name));
	offer_words(t, "help");
}

static void offer_options(const struct command *cmd, const struct typed *t)
{
	char word[64];

	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		offer(t, span_of(word));
	}
	offer_words(t, "--help --config");
}

/* Those whose names begin so: a host may have thousands of others. */
static void offer_users(const struct typed *t)
{
	struct passwd *pw;

	setpwent();
	while ((pw = getpwent()) != NULL)
		offer(t, span_of(pw->pw_name));
	endpwent();
}

static void offer_parameters(const struct typed *t)
{
	for (int i = 0; i < CONF_PARAMS; i++)
		offer(t, span_of(conf_table[i].name));
}

static void offer_values_of(const char *parameter, size_t n, const struct typed *t)
{
	for (int i = 0; i < CONF_PARAMS; i++) {
		if (strlen(conf_table[i].name) != n || memcmp(conf_table[i].name, parameter, n) != 0)
			continue;
		if (conf_table[i].type == T_BOOL)
			offer_words(t, "yes no");
		else if (conf_table[i].type == T_WORD && conf_table[i].allowed)
			offer_words(t, conf_table[i].allowed);
	}
}

/* Ids of the queue, where we may read it; silence otherwise. */
static void offer_ids(struct context *c, const char *states, const struct typed *t)
{
	struct queue_filter f = {0};
	struct queue_row rows[IDS_SHOWN / 5];
	struct error ignored = {0};
	int64_t key = 0;
	struct queue *q;
	int n = 1;

	snprintf(f.states, sizeof(f.states), "%s", states);
	if (context_read_queue(c, &q, &ignored) < 0 || !q)
		return;
	for (size_t seen = 0; seen < IDS_SHOWN && n > 0; seen += (size_t)n) {
		n = queue_list(q, &f, &key, rows, IDS_SHOWN / 5, &ignored);
		for (int i = 0; i < n; i++) {
			offer(t, span_of(rows[i].id));
			queue_row_free(&rows[i]);
		}
	}
	queue_close(q);
}

static void offer_argument(struct context *c, const struct command *cmd, const struct typed *t)
{
	if (strcmp(cmd->name, "config") == 0)
		offer_parameters(t);
	else if (strcmp(cmd->name, "import") == 0)
		offer_words(t, "postfix msmtp nullmailer dma ssmtp");
	for (size_t i = 0; i < sizeof(id_states) / sizeof(id_states[0]); i++)
		if (strcmp(cmd->name, id_states[i].command) == 0)
			offer_ids(c, id_states[i].states, t);
}

/* The option that this word names, when its argument is the next word or stands behind '='. NULL: none. */
static const struct command_option *option_of(const struct command *cmd, const char *word, size_t n)
{
	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		if (!o->arg)
			continue;
		if (n == 2 && word[0] == '-' && word[1] == o->letter)
			return o;
		if (n == strlen(o->name) + 2 && strncmp(word, "--", 2) == 0 && memcmp(word + 2, o->name, n - 2) == 0)
			return o;
	}
	return NULL;
}

static void offer_option_values(const struct command_option *o, const struct typed *t)
{
	if (strcmp(o->name, "user") == 0)
		offer_users(t);
	for (size_t i = 0; i < sizeof(option_values) / sizeof(option_values[0]); i++)
		if (strcmp(option_values[i].option, o->name) == 0)
			offer_words(t, option_values[i].values);
}

/* Behind "NAME=" or "--name=", whichever way the shell parts it, or behind an option that takes an argument. */
static bool offer_value(const struct command *cmd, char **words, int n)
{
	const char *last = words[n - 1], *eq = strchr(last, '=');
	bool parted = n > 2 && strcmp(words[n - 2], "=") == 0, bare = n > 1 && strcmp(last, "=") == 0;
	const char *name = parted ? words[n - 3] : n > 1 ? words[n - 2] : "";
	struct typed t = {"", 0, bare ? "" : last};
	size_t len = strlen(name);
	const struct command_option *o;

	if (eq && !bare && !parted) {
		name = last;
		len = (size_t)(eq - last);
		t = (struct typed){last, len + 1, eq + 1};
		parted = true;
	}
	o = option_of(cmd, name, len);
	if (o)
		offer_option_values(o, &t);
	else if ((parted || bare) && strcmp(cmd->name, "config") == 0)
		offer_values_of(name, len, &t);
	return o || parted || bare;
}

static int run(struct context *c)
{
	const char *begin = c->argc > 0 ? c->argv[c->argc - 1] : "";
	const struct command *cmd = c->argc > 1 ? command_find(c->argv[0]) : NULL;
	struct typed t = {"", 0, begin};

	if (c->argc <= 1 || (c->argc == 2 && strcmp(c->argv[0], "help") == 0))
		offer_commands(&t);
	else if (cmd && offer_value(cmd, c->argv + 1, c->argc - 1))
		;
	else if (cmd && begin[0] == '-')
		offer_options(cmd, &t);
	else if (cmd)
		offer_argument(c, cmd, &t);
	return EX_OK;
}

const struct command command_complete = {
	.name = "complete",
	.args = "-- WORD ...",
	.help = "",
	.max_args = -1,
	.run = run,
};
