/* queue.c: `outpost queue`: what is owed, in mailq's layout or as JSON. Pages by key; nothing stays open while we print. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/listing.h"
#include "outpost/command.h"
#include "outpost/row.h"
#include "outpost/select.h"

enum { PAGE = 200, OUT_MAX = 8 << 20, FLUSH_AT = 64 << 10 };

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

static int print_out(struct buf *out, struct error *err)
{
	if (!buf_ok(out))
		return error_set(err, EX_OSERR, NULL, "no memory for the listing");
	if (fwrite(out->data ? out->data : "", 1, out->len, stdout) != out->len)
		return error_sys(err, EX_IOERR, NULL, "cannot write the listing");
	buf_reset(out);
	return 0;
}

static int print_rows(struct queue *q, const struct queue_filter *f, bool json, struct buf *out,
		      struct listing_totals *totals, struct error *err)
{
	struct queue_row rows[PAGE];
	int64_t key = 0;
	int n, rc = 0;

	while (rc == 0 && (n = queue_list(q, f, &key, rows, PAGE, err)) != 0) {
		if (n < 0)
			return -1;
		for (int i = 0; i < n; i++) {
			if (!json && totals->messages == 0)
				listing_text_head(out);
			totals->messages++;
			totals->bytes += rows[i].size;
			row_print(out, &rows[i], json);
			queue_row_free(&rows[i]);
			if (rc == 0 && out->len >= FLUSH_AT)
				rc = print_out(out, err);
		}
	}
	return rc;
}

static int run(struct context *c)
{
	struct queue_filter f = {0};
	struct listing_totals totals = {0};
	struct error err = {0};
	bool json = option_given(c, "json");
	struct queue *q;
	struct buf out;
	int rc = 0;

	buf_init(&out, OUT_MAX);
	if (make_filter(c, &f, &err) < 0 || context_read_queue(c, &q, &err) < 0)
		return fail(&err);
	if (q)
		rc = print_rows(q, &f, json, &out, &totals, &err);
	queue_close(q);
	if (rc == 0 && !json)
		listing_text_foot(&out, &totals);
	if (rc == 0)
		rc = print_out(&out, &err);
	buf_free(&out);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"json", 'j', NULL, "one JSON object per line, with the keys of postqueue -j"},
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
		"delivered, '!' one on hold, '#' one that failed.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
