/* cmd_queue.c: `outpost queue`: what is owed, in mailq's layout or as JSON. Pages by key; nothing stays open while we
 * print. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/text.h"
#include "mail/mailq_format.h"
#include "outpost/command.h"
#include "outpost/flusher/health.h"
#include "outpost/messages/active_deliveries.h"
#include "outpost/messages/print_row.h"
#include "outpost/messages/select_messages.h"

enum { PAGE = 200, OUT_MAX = 8 << 20 };

static int make_filter(struct context *c, struct queue_filter *f, struct error *err)
{
	size_t n = 0;

	if (option_given(c, "queued") || option_given(c, "deferred"))
		f->states[n++] = 'q';
	if (option_given(c, "held"))
		f->states[n++] = 'h';
	if (option_given(c, "failed"))
		f->states[n++] = 'f';
	if (option_given(c, "all"))
		snprintf(f->states, sizeof(f->states), "qhf");
	f->deferred = option_given(c, "deferred");
	return select_filter(c, f, err);
}

/* What a listing carries along. */
struct listing {
	struct active active;
	struct buf out;
	struct listing_totals totals;
	bool json, color, count;
};

/* Prints a row and frees it. */
static int print_row(struct queue *q, struct listing *l, struct queue_row *r, struct error *err)
{
	struct row_style style = {l->json, l->color, &l->active};
	int rc = 0;

	if (!l->json && !l->count && l->totals.messages == 0)
		listing_text_head(&l->out);
	l->totals.messages++;
	l->totals.bytes += r->size;
	if (!l->count)
		rc = row_print(q, &l->out, r, &style, err);
	queue_row_free(r);
	return rc;
}

static int print_rows(struct queue *q, const struct queue_filter *f, struct listing *l, struct error *err)
{
	struct queue_row rows[PAGE];
	int64_t key = 0;
	int n, rc = 0;

	while (rc == 0 && (n = queue_list(q, f, &key, rows, PAGE, err)) != 0) {
		if (n < 0)
			return -1;
		for (int i = 0; i < n; i++) {
			if (rc == 0)
				rc = print_row(q, l, &rows[i], err);
			else
				queue_row_free(&rows[i]);
		}
	}
	return rc;
}

static int print_listing(struct context *c, const struct queue_filter *f, struct listing *l, struct error *err)
{
	struct queue *q;
	int rc = 0;

	if (context_read_queue(c, &q, err) < 0)
		return -1;
	active_ask(c, q, &l->active);
	if (q)
		rc = print_rows(q, f, l, err);
	queue_close(q);
	if (rc == 0 && l->count)
		buf_addf(&l->out, "Total requests: %llu\n", (unsigned long long)l->totals.messages);
	else if (rc == 0 && !l->json)
		listing_text_foot(&l->out, &l->totals);
	return rc == 0 ? row_write_out(&l->out, err) : -1;
}

/* A process that holds the lock and does not answer keeps them out of the queue. */
static void warn_incoming(struct context *c)
{
	size_t n = health_count_files(conf_str(c->conf, P_queue_directory), "incoming");

	if (n > 0)
		fprintf(stderr, "outpost: not in this list: %zu in incoming/, to be taken in as soon as outpostd "
			"answers\n", n);
}

static int run(struct context *c)
{
	struct listing l = {.json = option_given(c, "json"), .count = option_given(c, "count")};
	struct queue_filter f = {0};
	struct error err = {0};
	int rc;

	if (make_filter(c, &f, &err) < 0)
		return fail(&err);
	l.color = !l.json && term_color();
	buf_init(&l.out, OUT_MAX);
	rc = print_listing(c, &f, &l, &err);
	buf_free(&l.out);
	active_free(&l.active);
	if (rc < 0)
		return fail(&err);
	warn_incoming(c);
	return EX_OK;
}

static const struct command_option options[] = {
	{"json", 'j', NULL, "one JSON object per line, with the keys of postqueue -j"},
	{"count", 'c', NULL, "how many, as sendmail -bP says it"},
	{"deferred", 'd', NULL, "only messages that were tried and wait for the next attempt"},
	{"queued", 0, NULL, "only messages that are due or deferred"},
	{"held", 0, NULL, "only messages on hold"},
	{"failed", 'f', NULL, "only messages that failed and rest until failed_lifetime ends"},
	{"all", 'a', NULL, "queued, held and failed ones"},
	SELECT_OPTIONS,
	{NULL, 0, NULL, NULL},
};

const struct command command_queue = {
	.name = "queue",
	.args = "",
	.help = "list the queue as mailq does",
	.more = "Without a filter: everything that is queued or held. '*' marks a message that is being\n"
		"delivered, '!' one on hold, '#' one that failed. A terminal shows them in colour, and\n"
		"deferred ones in yellow.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
