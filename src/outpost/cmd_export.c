/* cmd_export.c: `outpost export`: messages out of the queue as one mbox. The queue stays as it is. */
#include "config.h"

#include <time.h>

#include "outpost/command.h"
#include "outpost/messages/print_row.h"
#include "outpost/messages/print_text.h"
#include "outpost/messages/select_messages.h"

struct export {
	struct queue *q;
	size_t gone;
};

/* The mbox separator: sender and UTC date in asctime's form. */
static void print_separator(const struct queue_row *r)
{
	time_t t = (time_t)(r->arrival / 1000000);
	char date[40];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm))
		snprintf(date, sizeof(date), "Thu Jan  1 00:00:00 1970");
	term_print("From %s %s\n", *r->sender ? r->sender : "MAILER-DAEMON", date);
}

static int export_id(struct export *e, const char *typed, struct error *err)
{
	struct queue_row row;
	char id[QUEUE_ID];
	bool gone = false;
	int64_t at;
	int rc;

	if (select_find(e->q, typed, &at, id, err) < 0 || row_get(e->q, at, &row, err) < 0)
		return -1;
	print_separator(&row);
	rc = text_write(e->q, row.row, row.id, TEXT_MBOX, stdout, &gone, err);
	printf("\n");
	queue_row_free(&row);
	e->gone += gone;
	return rc;
}

static int export_filter(struct context *c, struct export *e, struct error *err)
{
	struct queue_filter f = {.states = "qhf"};
	struct selection chosen = {0};
	int rc = select_filter(c, &f, err);

	if (rc == 0)
		rc = select_all(e->q, &f, &chosen, err);
	for (size_t i = 0; rc == 0 && i < chosen.n; i++)
		rc = export_id(e, chosen.ids[i], err);
	select_free(&chosen);
	return rc;
}

static int run(struct context *c)
{
	struct export e = {0};
	struct error err = {0};
	int rc = 0;

	if (c->argc == 0 && !select_given(c) && !option_given(c, "all"))
		return fail_usage(c, "export what? Queue ids, --all, --user, --sender or --older-than");
	if (context_read_queue(c, &e.q, &err) < 0)
		return fail(&err);
	for (int i = 0; rc == 0 && i < c->argc; i++)
		rc = export_id(&e, c->argv[i], &err);
	if (rc == 0 && c->argc == 0 && e.q)
		rc = export_filter(c, &e, &err);
	queue_close(e.q);
	if (e.gone)
		fprintf(stderr, "outpost: %zu without text: it is no longer kept\n", e.gone);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"all", 'a', NULL, "everything that is queued, held or failed"},
	SELECT_OPTIONS,
	{NULL, 0, NULL, NULL},
};

const struct command command_export = {
	.name = "export",
	.args = "[ID ...]",
	.help = "print messages as an mbox",
	.more = "Messages are printed as they were submitted; the queue stays as it is. `outpost show --raw` prints "
		"one alone.\n",
	.options = options,
	.max_args = -1,
	.run = run,
};
