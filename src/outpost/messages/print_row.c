#include "config.h"
#include "outpost/messages/print_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/mailq_format.h"

enum { FLUSH_AT = 64 << 10 };

/* NULL: none. Deferred means that some recipient was tried. */
static const char *color_of(const struct listing_row *row)
{
	if (row->active)
		return "\033[32m";
	if (row->held)
		return "\033[36m";
	if (row->failed)
		return "\033[31m";
	for (size_t i = 0; i < row->nrecipients; i++)
		if (row->recipients[i].attempts)
			return "\033[33m";
	return NULL;
}

/* The first line in the colour of the row's state. */
static void print_begin(struct buf *out, const struct listing_row *row, const struct row_style *style)
{
	const char *begin = style->color ? color_of(row) : NULL;

	if (begin)
		buf_adds(out, begin);
	listing_begin(out, row, style->json);
	if (begin && buf_ok(out)) {
		out->len--;
		buf_adds(out, "\033[0m\n");
	}
}

/* The row with the recipients it has at the moment. */
static void print_piece(struct buf *out, const struct queue_row *r, bool continued, const struct row_style *style)
{
	const struct active *wait = style->active;
	struct listing_recipient *to = calloc(r->nrecipients ? r->nrecipients : 1, sizeof(*to));
	struct listing_row row = {.id = r->id, .active = r->state == 'q' && active_has(wait, r->id),
				  .held = r->state == 'h', .failed = r->state == 'f', .size = r->size,
				  .arrival = r->arrival, .sender = r->sender, .uid = r->uid, .recipients = to,
				  .continued = continued};

	if (!to) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < r->nrecipients; i++) {
		const struct queue_row_recipient *from = &r->recipients[i];

		bool own = (from->text && *from->text) || from->state != 'q';

		if (from->state == 's')
			continue;
		to[row.nrecipients++] = (struct listing_recipient){
			.address = from->address, .original = from->original, .dsn = own ? from->dsn : wait->dsn,
			.reason = own ? from->text : wait->reason, .why = own ? from->reason : wait->why,
			.state = from->state,
			.attempts = from->attempts, .next_attempt = from->next_attempt};
	}
	if (!continued)
		print_begin(out, &row, style);
	listing_recipients(out, &row, style->json);
	free(to);
}

int row_write_out(struct buf *out, struct error *err)
{
	if (!buf_ok(out))
		return error_set(err, REASON_SYSTEM, "no memory for the listing");
	if (fwrite(out->data ? out->data : "", 1, out->len, stdout) != out->len)
		return error_sys(err, REASON_IO, "cannot write the listing");
	buf_reset(out);
	return 0;
}

int row_print(struct queue *q, struct buf *out, struct queue_row *r, const struct row_style *style, struct error *err)
{
	int rc = 1;

	for (bool continued = false; rc > 0; continued = true) {
		print_piece(out, r, continued, style);
		if ((out->len >= FLUSH_AT || !buf_ok(out)) && row_write_out(out, err) < 0)
			return -1;
		rc = queue_row_more(q, r, err);
	}
	listing_end(out, style->json);
	return rc;
}

int row_get(struct queue *q, int64_t row, struct queue_row *out, struct error *err)
{
	int rc = queue_row(q, row, out, err);

	return rc == 0 ? error_set(err, REASON_DATA, "the message has just left the queue") : rc < 0 ? -1 : 0;
}
