/* queue.c: `outpost queue`: what is owed, in mailq's layout or as JSON. Pages by key; nothing stays open while we print. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/listing.h"
#include "outpost/active.h"
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

/* What a listing carries along. */
struct listing {
	struct active active;
	struct buf out;
	struct listing_totals totals;
	bool json, color;
};

/* Prints a row and frees it. */
static int print_row(struct listing *l, struct queue_row *r, struct error *err)
{
	struct row_style style = {l->json, active_has(&l->active, r->id), l->color};

	if (!l->json && l->totals.messages == 0)
		listing_text_head(&l->out);
	l->totals.messages++;
	l->totals.bytes += r->size;
	row_print(&l->out, r, &style);
	queue_row_free(r);
	return l->out.len >= FLUSH_AT || !buf_ok(&l->out) ? print_out(&l->out, err) : 0;
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
				rc = print_row(l, &rows[i], err);
			else
				queue_row_free(&rows[i]);
		}
	}
	return rc;
}

/* ---- sorted: all rows are read before the first is printed. */

static unsigned attempts_of(const struct queue_row *r)
{
	unsigned most = 0;

	for (size_t i = 0; i < r->nrecipients; i++)
		if (r->recipients[i].attempts > most)
			most = r->recipients[i].attempts;
	return most;
}

static int by_age(const void *a, const void *b)
{
	const struct queue_row *x = a, *y = b;

	if (x->arrival != y->arrival)
		return x->arrival < y->arrival ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static int by_size(const void *a, const void *b)
{
	const struct queue_row *x = a, *y = b;

	return x->size != y->size ? x->size > y->size ? -1 : 1 : by_age(a, b);
}

static int by_attempts(const void *a, const void *b)
{
	unsigned x = attempts_of(a), y = attempts_of(b);

	return x != y ? x > y ? -1 : 1 : by_age(a, b);
}

static int by_sender(const void *a, const void *b)
{
	int rc = strcasecmp(((const struct queue_row *)a)->sender, ((const struct queue_row *)b)->sender);

	return rc ? rc : by_age(a, b);
}

typedef int (*order)(const void *, const void *);

static order find_order(const char *name)
{
	static const struct {
		const char *name;
		order by;
	} orders[] = {{"age", by_age}, {"size", by_size}, {"attempts", by_attempts}, {"sender", by_sender}};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].name, name) == 0)
			return orders[i].by;
	return NULL;
}

static int print_sorted(struct queue *q, const struct queue_filter *f, order by, struct listing *l, struct error *err)
{
	struct queue_row *rows = NULL;
	size_t n = 0, room = 0;
	int64_t key = 0;
	int got, rc = 0;

	do {
		if (n + PAGE > room) {
			void *more = realloc(rows, (n + PAGE) * 2 * sizeof(*rows));

			if (!more) {
				got = error_set(err, EX_OSERR, NULL, "no memory to sort the listing");
				break;
			}
			rows = more;
			room = (n + PAGE) * 2;
		}
		got = queue_list(q, f, &key, rows + n, PAGE, err);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	if (got == 0 && n)
		qsort(rows, n, sizeof(*rows), by);
	for (size_t i = 0; i < n; i++) {
		if (got == 0 && rc == 0)
			rc = print_row(l, &rows[i], err);
		else
			queue_row_free(&rows[i]);
	}
	free(rows);
	return got < 0 ? -1 : rc;
}

static int print_listing(struct context *c, const struct queue_filter *f, order by, struct listing *l, struct error *err)
{
	struct queue *q;
	int rc = 0;

	if (context_read_queue(c, &q, err) < 0)
		return -1;
	active_ask(c, &l->active);
	if (q)
		rc = by ? print_sorted(q, f, by, l, err) : print_rows(q, f, l, err);
	queue_close(q);
	if (rc == 0 && !l->json)
		listing_text_foot(&l->out, &l->totals);
	return rc == 0 ? print_out(&l->out, err) : -1;
}

static int run(struct context *c)
{
	struct listing l = {.json = option_given(c, "json")};
	struct queue_filter f = {0};
	struct error err = {0};
	order by = NULL;
	int rc;

	if (option_given(c, "sort") && !(by = find_order(option_value(c, "sort"))))
		return fail_usage(c, "--sort is age, size, attempts or sender, not \"%s\"", option_value(c, "sort"));
	if (make_filter(c, &f, &err) < 0)
		return fail(&err);
	l.color = !l.json && term_color();
	buf_init(&l.out, OUT_MAX);
	rc = print_listing(c, &f, by, &l, &err);
	buf_free(&l.out);
	active_free(&l.active);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"json", 'j', NULL, "one JSON object per line, with the keys of postqueue -j"},
	{"deferred", 'd', NULL, "only messages that were tried and wait for the next attempt"},
	{"queued", 0, NULL, "only messages that are due or deferred"},
	{"held", 0, NULL, "only messages on hold"},
	{"failed", 'f', NULL, "only messages that failed and rest until failed_lifetime ends"},
	{"all", 'a', NULL, "queued, held and failed ones"},
	{"sort", 'S', "KEY", "by age, size, attempts or sender instead of as it came in"},
	SELECT_OPTIONS,
	{NULL, 0, NULL, NULL},
};

const struct command command_queue = {
	.name = "queue",
	.args = "",
	.help = "list the queue as mailq does",
	.more = "Without a filter: everything that is queued or held. '*' marks a message that is being\n"
		"delivered, '!' one on hold, '#' one that failed. A terminal shows them in colour, and\n"
		"deferred ones in yellow. Sorted, the oldest, the largest, the most often tried come first.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
