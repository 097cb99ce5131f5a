/* print_row.h: from a row of the queue to the words of mail/listing. */
#ifndef OUTPOST_PRINT_ROW_H
#define OUTPOST_PRINT_ROW_H

#include <stdbool.h>

#include "base/buf.h"
#include "outpost/messages/active_deliveries.h"
#include "queue/queue.h"

/* How a row is printed, in mailq's layout or as a line of JSON. */
struct row_style {
	bool json;
	bool color;	/* the first line in the colour of its state */
	const struct active *active;	/* what is being delivered, and why recipients wait that have no reason */
};
/* All of it to standard output, through out, which is written when much has come together: a row may have more
 * recipients than anybody wants to hold. */
int row_print(struct queue *q, struct buf *out, struct queue_row *r, const struct row_style *style, struct error *err);
int row_write_out(struct buf *out, struct error *err);

/* The message of this row, whatever its state. Free with queue_row_free. */
int row_get(struct queue *q, int64_t row, struct queue_row *out, struct error *err);

#endif
