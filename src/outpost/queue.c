/* queue.c: `outpost queue`: what is owed, in mailq's layout or as JSON. Pages by key; nothing stays open while we print. */
#include "config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/text.h"
#include "mail/listing.h"
#include "outpost/command.h"

enum { PAGE = 200, OUT_MAX = 8 << 20, FLUSH_AT = 64 << 10 };

static int filter_user(const char *name, struct queue_filter *f, struct error *err)
{
	struct passwd *pw = getpwnam(name);
	uint64_t uid;

	f->by_uid = true;
	if (pw)
		f->uid = pw->pw_uid;
	else if (text_u64(span_of(name), UINT32_MAX, &uid))
		f->uid = (uint32_t)uid;
	else
		return error_set(err, EX_NOUSER, NULL, "no user \"%s\"", name);
	return 0;
}

static int make_filter(struct context *c, struct queue_filter *f, struct error *err)
{
	size_t n = 0;
	int64_t age;

	if (option_given(c, "queued") || option_given(c, "deferred"))
		f->states[n++] = 'q';
	if (option_given(c, "held"))
		f->states[n++] = 'h';
	if (option_given(c, "failed"))
		f->states[n++] = 'f';
	if (option_given(c, "all"))
		snprintf(f->states, sizeof(f->states), "qhf");
	f->deferred = option_given(c, "deferred");
	f->sender = option_value(c, "sender");
	if (option_given(c, "user") && filter_user(option_value(c, "user"), f, err) < 0)
		return -1;
	if (option_given(c, "older-than")) {
		if (words_parse_age(option_value(c, "older-than"), &age, err) < 0)
			return -1;
		f->older_than = clock_wall_us() - age * 1000000;
	}
	return 0;
}

/* One row of the queue in the words of mail/listing. */
static void print_row(struct buf *out, const struct queue_row *r, bool json)
{
	struct listing_recipient *to = calloc(r->nrecipients ? r->nrecipients : 1, sizeof(*to));
	struct listing_row row = {.id = r->id, .held = r->state == 'h', .failed = r->state == 'f', .size = r->size,
				  .arrival = r->arrival, .sender = r->sender, .uid = r->uid, .recipients = to};

	if (!to) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < r->nrecipients; i++) {
		const struct queue_row_recipient *from = &r->recipients[i];

		if (from->state == 's')
			continue;
		to[row.nrecipients++] = (struct listing_recipient){
			.address = from->address, .original = from->original, .dsn = from->dsn,
			.reason = from->text && *from->text ? from->text : NULL, .state = from->state,
			.attempts = from->attempts, .next_attempt = from->next_attempt};
	}
	if (json)
		listing_json_row(out, &row);
	else
		listing_text_row(out, &row);
	free(to);
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
			print_row(out, &rows[i], json);
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
	{"user", 'u', "USER", "only what this user submitted (name or uid)"},
	{"sender", 's', "ADDRESS", "only mail of this envelope sender"},
	{"older-than", 'o', "AGE", "only mail that came in longer ago (90s, 15m, 2h, 3d, 1w)"},
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
