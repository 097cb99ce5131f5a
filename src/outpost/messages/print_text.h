/* print_text.h: a queued message's bytes, chunk by chunk, to a stream. */
#ifndef OUTPOST_PRINT_TEXT_H
#define OUTPOST_PRINT_TEXT_H

#include <stdio.h>

#include "base/error.h"
#include "queue/queue.h"

/* How the message's bytes are written. */
enum text_form {
	TEXT_PLAIN,	/* as stored: LF lines */
	TEXT_SAFE,	/* for a terminal: control bytes but tab and newline as '?' */
	TEXT_HEADER,	/* the same, up to the first empty line */
	TEXT_MBOX,	/* ">" before lines that begin with any number of ">" and "From " */
};

/* Writes the message of this row, with id in our Received: line. When the body was removed already, *gone is true. */
int text_write(struct queue *q, int64_t row, const char *id, enum text_form form, FILE *to, bool *gone,
	       struct error *err);

#endif
