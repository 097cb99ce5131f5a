/* cmd_export.c: `outpost export`: messages out of the queue, as .eml files or one mbox. The queue stays as it is. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "outpost/command.h"
#include "outpost/messages/print_text.h"
#include "outpost/maker.h"
#include "outpost/messages/print_row.h"
#include "outpost/messages/select_messages.h"

struct export {
	struct queue *q;
	bool eml;
	struct maker maker;	/* of the .eml files; without a directory: standard output */
	size_t done, gone;
};

/* The mbox separator: sender and UTC date in asctime's form. */
static void mbox_from(const struct queue_row *r)
{
	time_t t = (time_t)(r->arrival / 1000000);
	char date[40];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm))
		snprintf(date, sizeof(date), "Thu Jan  1 00:00:00 1970");
	printf("From %s %s\n", *r->sender ? r->sender : "MAILER-DAEMON", date);
}

static FILE *eml_file(struct export *e, const char *id, struct error *err)
{
	char name[QUEUE_ID + 8];
	FILE *f;
	int fd;

	if (e->maker.dir < 0)
		return stdout;
	snprintf(name, sizeof(name), "%s.eml", id);
	fd = maker_file(&e->maker, name, err);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (fd >= 0 && !f)
		error_sys(err, REASON_SYSTEM, "%s", name);
	return f;
}

static int export_eml(struct export *e, const struct queue_row *r, struct error *err)
{
	FILE *f = eml_file(e, r->id, err);
	bool gone = false;
	int rc = f ? letter_write(e->q, r->row, r->id, 0, LETTER_PLAIN, f, &gone, err) : -1;

	if (f && f != stdout && fclose(f) != 0 && rc == 0)
		rc = error_sys(err, REASON_IO, "%s.eml", r->id);
	e->gone += gone;
	return rc;
}

static int export_mbox(struct export *e, const struct queue_row *r, struct error *err)
{
	bool gone = false;
	int rc;

	mbox_from(r);
	rc = letter_write(e->q, r->row, r->id, 0, LETTER_MBOX, stdout, &gone, err);
	printf("\n");
	e->gone += gone;
	return rc;
}

static int export_id(struct export *e, const char *typed, struct error *err)
{
	struct queue_row row;
	char id[QUEUE_ID];
	int64_t at;
	int rc;

	if (select_find(e->q, typed, &at, id, err) < 0 || row_get(e->q, at, &row, err) < 0)
		return -1;
	rc = e->eml ? export_eml(e, &row, err) : export_mbox(e, &row, err);
	queue_row_free(&row);
	e->done += rc == 0;
	return rc;
}

static int export_filter(struct context *c, struct export *e, struct error *err)
{
	struct queue_filter f = {.states = "qhf"};
	struct selection chosen = {0};
	int rc;

	if (select_filter(c, &f, err) < 0 || select_all(e->q, &f, &chosen, err) < 0)
		return -1;
	rc = 0;
	for (size_t i = 0; rc == 0 && i < chosen.n; i++)
		rc = export_id(e, chosen.ids[i], err);
	select_free(&chosen);
	return rc;
}

/* Before root's rights are given up: the directory is root's, not the queue owner's. */
static int open_directory(struct context *c, struct export *e, struct error *err)
{
	const char *dir = option_value(c, "eml");

	e->maker = (struct maker){-1, -1, 0};
	e->eml = dir != NULL;
	return dir && strcmp(dir, "-") != 0 ? maker_start(&e->maker, dir, err) : 0;
}

static int run(struct context *c)
{
	struct export e = {0};
	struct error err = {0};
	int rc = 0;

	if (c->argc == 0 && !select_given(c) && !option_given(c, "all"))
		return fail_usage(c, "export what? Queue ids, --all, --user, --sender or --older-than");
	if (open_directory(c, &e, &err) < 0 || context_read_queue(c, &e.q, &err) < 0) {
		maker_stop(&e.maker);
		return fail(&err);
	}
	for (int i = 0; rc == 0 && i < c->argc; i++)
		rc = export_id(&e, c->argv[i], &err);
	if (rc == 0 && c->argc == 0 && e.q)
		rc = export_filter(c, &e, &err);
	queue_close(e.q);
	maker_stop(&e.maker);
	if (e.gone)
		fprintf(stderr, "outpost: %zu without text: it is no longer kept\n", e.gone);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"eml", 'e', "DIR", "a file ID.eml in DIR for each message (- prints one)"},
	{"all", 'a', NULL, "everything that is queued, held or failed"},
	SELECT_OPTIONS,
	{NULL, 0, NULL, NULL},
};

const struct command command_export = {
	.name = "export",
	.args = "[ID ...]",
	.help = "print messages as an mbox, or write .eml files",
	.more = "Messages are printed as they were submitted; the queue stays as it is.\n",
	.options = options,
	.max_args = -1,
	.run = run,
};
