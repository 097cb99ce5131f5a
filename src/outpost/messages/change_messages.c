#include "config.h"
#include "outpost/messages/change_messages.h"

#include <stdlib.h>
#include <string.h>

int edit_ids(struct context *c, const struct edit *e, char (*ids)[QUEUE_ID], size_t n, bool quiet)
{
	char count[40];
	size_t done = 0;
	int rc = EX_OK;

	for (size_t i = 0; i < n; i++) {
		struct error answer = {0};
		int one = context_edit(c, e->verb, ids[i], e->edit, &answer);

		if (one == EX_OK)
			done++;
		else
			rc = fail(&answer) == EX_UNAVAILABLE ? EX_DATAERR : error_exit(&answer);
	}
	if (!quiet)
		printf("%s %s\n", words_count(done, "message", "messages", count, sizeof(count)), e->done);
	return rc;
}

/* What changes something wants the whole id: an abbreviation may mean another message a moment later. */
static int all_whole(struct context *c, char (*ids)[QUEUE_ID], struct error *err)
{
	char full[QUEUE_ID];
	struct queue *q;
	int64_t row;
	int rc = 1;

	if (context_read_queue(c, &q, err) < 0)
		return -1;
	for (int i = 0; rc == 1 && i < c->argc; i++) {
		rc = q ? queue_find(q, ids[i], true, &row, full, err) : 0;
		if (rc == 0)
			error_set(err, REASON_DATA, "no message %s in the queue (ids are given whole here)", ids[i]);
	}
	queue_close(q);
	return rc == 1 ? 0 : -1;
}

static int by_ids(struct context *c, const struct edit *e, struct error *err)
{
	char (*ids)[QUEUE_ID] = calloc((size_t)c->argc, sizeof(*ids));
	int rc = ids ? 0 : error_set(err, REASON_SYSTEM, "no memory for the queue ids");

	for (int i = 0; rc == 0 && i < c->argc; i++)
		if (!select_id(c->argv[i], ids[i]))
			rc = error_set(err, REASON_USAGE, "\"%s\" is no queue id", c->argv[i]);
	if (rc == 0)
		rc = all_whole(c, ids, err);
	if (rc == 0)
		rc = edit_ids(c, e, ids, (size_t)c->argc, option_given(c, "quiet"));
	free(ids);
	return rc;
}

static int by_filter(struct context *c, const struct edit *e, struct error *err)
{
	struct queue_filter f = {0};
	struct selection chosen = {0};
	char question[100], count[40];
	struct queue *q;
	int rc;

	snprintf(f.states, sizeof(f.states), "%s", e->states);
	if (select_filter(c, &f, err) < 0 || context_read_queue(c, &q, err) < 0)
		return -1;
	rc = q ? select_all(q, &f, &chosen, err) : 0;
	queue_close(q);
	if (rc < 0)
		return -1;
	words_count(chosen.n, "message", "messages", count, sizeof(count));
	snprintf(question, sizeof(question), "%s %s?", e->verb, count);
	if (e->destructive && chosen.n && !term_confirm(question, true))
		chosen.n = 0;
	rc = edit_ids(c, e, chosen.ids, chosen.n, option_given(c, "quiet"));
	select_free(&chosen);
	return rc;
}

int edit_run(struct context *c, const struct edit *e)
{
	struct error err = {0};
	bool filter = select_given(c) || option_given(c, "all");
	int rc;

	if (c->argc == 0 && !filter)
		return fail_usage(c, "%s what? Queue ids, --all, --user, --sender or --older-than", e->verb);
	if (c->argc > 0 && filter)
		return fail_usage(c, "queue ids or a filter, not both");
	if (context_become(c, &err) < 0)
		return fail(&err);
	rc = filter ? by_filter(c, e, &err) : by_ids(c, e, &err);
	return rc < 0 ? fail(&err) : rc;
}
