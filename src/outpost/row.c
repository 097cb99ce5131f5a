#include "config.h"
#include "outpost/row.h"

#include <stdlib.h>

#include "mail/listing.h"

void row_print(struct buf *out, const struct queue_row *r, bool json)
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

int row_get(struct queue *q, int64_t row, struct queue_row *out, struct error *err)
{
	struct queue_filter f = {.states = "qhfs"};
	int64_t key = row - 1;
	int n = queue_list(q, &f, &key, out, 1, err);

	if (n < 0)
		return -1;
	if (n == 1 && out->row == row)
		return 0;
	if (n == 1)
		queue_row_free(out);
	return error_set(err, EX_DATAERR, NULL, "the message has just left the queue");
}
