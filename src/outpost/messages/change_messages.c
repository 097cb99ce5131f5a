#include "config.h"
#include "outpost/messages/change_messages.h"

#include <string.h>

const struct command_option change_options[] = {
	{"all", 'a', NULL, "all messages in a state that allows it"}, SELECT_OPTIONS,
	{"quiet", 'q', NULL, "print errors only"},
	{NULL, 0, NULL, NULL},
};

int change_ids(struct context *c, const struct message_change *change, const struct selection *ids, bool quiet)
{
	char count[40];
	size_t done = 0;
	int rc = EX_OK;

	for (size_t i = 0; i < ids->n; i++) {
		struct error answer = {0};
		int one = context_change(c, change->verb, ids->ids[i], change->change, &answer);

		if (one == EX_OK)
			done++;
		else
			rc = fail(&answer) == EX_UNAVAILABLE ? EX_DATAERR : error_exit(&answer);
	}
	if (!quiet)
		printf("%s %s\n", words_count(done, "message", "messages", count, sizeof(count)), change->done);
	return rc;
}

static int choose_by_ids(struct context *c, struct selection *chosen, struct error *err)
{
	for (int i = 0; i < c->argc; i++)
		if (select_add_typed(chosen, c->argv[i], err) < 0)
			return -1;
	return 0;
}

static int choose_by_filter(struct context *c, struct selection *chosen, struct error *err)
{
	const struct message_change *change = c->command->change;
	struct queue_filter f = {0};
	char question[100], count[40];
	struct queue *q;
	int rc;

	snprintf(f.states, sizeof(f.states), "%s", change->states);
	if (select_filter(c, &f, err) < 0 || context_read_queue(c, &q, err) < 0)
		return -1;
	rc = q ? select_all(q, &f, chosen, err) : 0;
	queue_close(q);
	words_count(chosen->n, "message", "messages", count, sizeof(count));
	snprintf(question, sizeof(question), "%s %s?", change->verb, count);
	if (change->destructive && chosen->n && !term_confirm(question, true))
		chosen->n = 0;
	return rc;
}

int change_run(struct context *c)
{
	struct selection chosen = {0};
	struct error err = {0};
	bool filter = select_given(c) || option_given(c, "all");
	int rc;

	if (c->argc == 0 && !filter)
		return fail_usage(c, "%s what? Queue ids, --all, --user, --sender or --older-than", c->command->name);
	if (c->argc > 0 && filter)
		return fail_usage(c, "queue ids or a filter, not both");
	if (context_become(c, &err) < 0)
		return fail(&err);
	rc = filter ? choose_by_filter(c, &chosen, &err) : choose_by_ids(c, &chosen, &err);
	rc = rc < 0 ? fail(&err) : change_ids(c, c->command->change, &chosen, option_given(c, "quiet"));
	select_free(&chosen);
	return rc;
}
