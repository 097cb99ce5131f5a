/* row.h: from a row of the queue to the words of mail/listing. */
#ifndef OUTPOST_ROW_H
#define OUTPOST_ROW_H

#include <stdbool.h>

#include "base/buf.h"
#include "queue/queue.h"

/* Appends the row in mailq's layout or as a line of JSON. */
void row_print(struct buf *out, const struct queue_row *r, bool json);

/* The message of this row, whatever its state. Free with queue_row_free. */
int row_get(struct queue *q, int64_t row, struct queue_row *out, struct error *err);

#endif
