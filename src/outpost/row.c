#include "config.h"
#include "outpost/row.h"

#include <stdlib.h>
#include <string.h>

#include "mail/listing.h"

enum { ROW_MAX = 8 << 20 };

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

static void print_text(struct buf *out, const struct listing_row *row, bool color)
{
	const char *begin = color ? color_of(row) : NULL;
	struct buf text;
	size_t first;

	if (!begin) {
		listing_text_row(out, row);
		return;
	}
	buf_init(&text, ROW_MAX);
	listing_text_row(&text, row);
	first = strcspn(buf_str(&text), "\n");
	buf_addf(out, "%s%.*s\033[0m%s", begin, (int)first, buf_str(&text), buf_str(&text) + first);
	out->failed |= !buf_ok(&text);
	buf_free(&text);
}

void row_print(struct buf *out, const struct queue_row *r, const struct row_style *style)
{
	struct listing_recipient *to = calloc(r->nrecipients ? r->nrecipients : 1, sizeof(*to));
	struct listing_row row = {.id = r->id, 
				  .active = style->active && r->state == 'q', .held = r->state == 'h', .failed = r->state == 'f', .size = r->size,
				  .arrival = r->arrival, .sender = r->sender, .uid = r->uid, .recipients = to};

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
			.address = from->address, .original = from->original, .dsn = own ? from->dsn : style->dsn,
			.reason = own ? from->text : style->reason, .state = from->state,
			.attempts = from->attempts, .next_attempt = from->next_attempt};
	}
	if (style->json)
		listing_json_row(out, &row);
	else
		print_text(out, &row, style->color);
	free(to);
}

int row_get(struct queue *q, int64_t row, struct queue_row *out, struct error *err)
{
	int rc = queue_row(q, row, out, err);

	return rc == 0 ? error_set(err, EX_DATAERR, NULL, "the message has just left the queue") : rc < 0 ? -1 : 0;
}
