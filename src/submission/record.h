/*
 * record.h: the table of record types (submission.h says what they mean), for the encoder and the decoder.
 */
#ifndef SUBMISSION_RECORD_H
#define SUBMISSION_RECORD_H

#include <stdbool.h>
#include <stddef.h>

enum { RECORD_HEAD = 5 };	/* type and length */

struct record_kind {
	char type;
	bool repeats;		/* may come more than once in a submission */
	bool text;		/* no NUL, CR or LF inside */
	size_t min, max;	/* bytes of payload */
	const char *name;	/* for messages */
};

/* NULL: no such type. */
const struct record_kind *record_kind(char type);

#endif
