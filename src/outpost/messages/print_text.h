/* print_text.h: a queued message's bytes, chunk by chunk, to a stream. */
#ifndef OUTPOST_PRINT_TEXT_H
#define OUTPOST_PRINT_TEXT_H

#include <stdio.h>

#include "base/error.h"
#include "queue/queue.h"

/* How the message's bytes are written. */
enum letter_form {
	LETTER_PLAIN,	/* as stored: LF lines */
	LETTER_SAFE,	/* for a terminal: control bytes but tab and newline as '?' */
	LETTER_MBOX,	/* ">" in front of lines that begin with any number of ">" and "From " */
	LETTER_CRLF,	/* as it goes to the relay */
};

/* Writes at most max bytes of the message of this row (0: all), with id where our Received: line says which it is. A body that is gone already is *gone = true. */
int letter_write(struct queue *q, int64_t row, const char *id, uint64_t max, enum letter_form form, FILE *to, bool *gone, struct error *err);

#endif
