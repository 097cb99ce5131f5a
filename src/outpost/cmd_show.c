/* cmd_show.c: `outpost show`: one message, its recipients and their reasons, its history, its text. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/text/text.h"
#include "mail/mailq_format.h"
#include "outpost/check/print_hint.h"
#include "outpost/command.h"
#include "outpost/messages/active_deliveries.h"
#include "outpost/messages/print_history.h"
#include "outpost/messages/print_row.h"
#include "outpost/messages/print_text.h"
#include "outpost/messages/select_messages.h"

enum { MARGIN = 13 };

static const char *state_word(char state)
{
	switch (state) {
	case 'h':
		return "held";
	case 'f':
		return "failed";
	case 's':
		return "sent";
	default:
		return "queued";
	}
}

/* What it waits for: its own last words, or why nothing moves. */
static const char *reason_of(const struct queue_row_recipient *r, const struct active *a)
{
	return r->text && *r->text ? r->text : r->state == 'q' ? a->reason : "";
}

static void print_recipient(const struct queue_row_recipient *r, const struct active *a)
{
	const char *reason = reason_of(r, a);
	char when[64];

	term_print("  to         %s  %s", r->address, state_word(r->state));
	if (r->original && *r->original && strcmp(r->original, r->address) != 0)
		term_print(" (was %s)", r->original);
	if (r->attempts)
		term_print(", %u %s", r->attempts, r->attempts == 1 ? "attempt" : "attempts");
	if (r->state == 'q' && r->next_attempt > clock_wall_us())
		term_print(", next %s", words_time(r->next_attempt, when, sizeof(when)));
	term_print("\n");
	if (*reason) {
		term_print("%*s", MARGIN, "");
		words_wrap(reason, MARGIN, MARGIN);
	}
}

/* What can be done about the first trouble. */
static void find_hint(char hint[HINT_SIZE], const struct queue_row *row)
{
	for (size_t i = 0; i < row->nrecipients && !*hint; i++)
		if (row->recipients[i].state != 's')
			hint_write(hint, row->recipients[i].reason, NULL, NULL);
}

static int print_envelope(struct queue *q, struct queue_row *r, const struct active *a, struct error *err)
{
	char when[32], size[32], hint[HINT_SIZE] = "";
	int rc = 1;

	term_print("%s  %s\n", r->id, state_word(r->state));
	term_print("  from       %s\n", *r->sender ? r->sender : "<> (a notice)");
	term_print("  by         %s (uid %u)\n", r->user, (unsigned)r->uid);
	term_print("  since      %s, %s\n", words_time(r->arrival, when, sizeof(when)),
		   words_size(r->size, size, sizeof(size)));
	for (; rc > 0; rc = queue_row_more(q, r, err)) {
		find_hint(hint, r);
		for (size_t i = 0; i < r->nrecipients; i++)
			print_recipient(&r->recipients[i], a);
	}
	hint_print(stdout, hint, "  next       ", "             ");
	return rc;
}

static int print_header(struct queue *q, int64_t row, const char *id, struct error *err)
{
	bool gone = false;
	int rc;

	printf("\n");
	rc = text_write(q, row, id, TEXT_HEADER, stdout, &gone, err);
	if (rc == 0 && gone)
		printf("  (the text is no longer kept)\n");
	return rc;
}

static int print_text(struct context *c, struct queue *q, int64_t row, const char *id, struct error *err)
{
	bool gone = false;
	int rc = text_write(q, row, id, option_given(c, "raw") ? TEXT_PLAIN : TEXT_SAFE, stdout, &gone, err);

	if (rc == 0 && gone)
		return error_set(err, REASON_DATA, "the text of this message is no longer kept");
	return rc;
}

static int print_json(struct queue *q, struct queue_row *r, const struct active *a, struct error *err)
{
	struct row_style style = {.json = true, .active = a};
	struct buf out;
	int rc;

	buf_init(&out, 8 << 20);
	rc = row_print(q, &out, r, &style, err);
	if (rc == 0)
		rc = row_write_out(&out, err);
	buf_free(&out);
	return rc;
}

static int show(struct context *c, struct queue *q, struct error *err)
{
	struct event_filter f = {0};
	struct queue_row row;
	char id[QUEUE_ID];
	struct active active;
	int64_t at, key = 0;
	int rc = 0;

	if (select_find(q, c->argv[0], &at, id, err) < 0)
		return -1;
	if (option_given(c, "body") || option_given(c, "raw"))
		return print_text(c, q, at, id, err);
	if (row_get(q, at, &row, err) < 0)
		return -1;
	active_ask(c, q, &active);
	if (option_given(c, "json"))
		rc = print_json(q, &row, &active, err);
	else
		rc = print_envelope(q, &row, &active, err);
	active_free(&active);
	queue_row_free(&row);
	if (option_given(c, "json") || rc < 0)
		return rc;
	if (option_given(c, "full")) {
		term_print("\n");
		return print_text(c, q, at, id, err);
	}
	rc = print_header(q, at, id, err);
	term_print("\n");
	f.id = id;
	return rc < 0 ? rc : events_print(q, &f, false, &key, err);
}

static int run(struct context *c)
{
	struct error err = {0};
	struct queue *q;
	int rc;

	if (context_read_queue(c, &q, &err) < 0)
		return fail(&err);
	rc = show(c, q, &err);
	queue_close(q);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"body", 'b', NULL, "the whole message, made safe for a terminal"},
	{"raw", 'r', NULL, "the whole message as it is stored"},
	{"full", 'f', NULL, "the recipients, and then the whole message, made safe for a terminal"},
	{"json", 'j', NULL, "one JSON object, as `outpost queue --json` prints it"},
	{NULL, 0, NULL, NULL},
};

const struct command command_show = {
	.name = "show",
	.args = "ID",
	.help = "one message: recipients and their reasons, header, history",
	.more = "The id may be shortened as far as it stays unambiguous.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
