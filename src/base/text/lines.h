/*
 * lines.h: the form that all files of the configuration share (postconf(5)): logical lines, and lists in values.
 */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text/text.h"

/* Without the byte-order mark that editors of Windows put first, and nobody sees. */
struct span lines_without_mark(struct span text);

struct line_reader {
	/* A logical line, trimmed, with the number of its first physical line. -1 ends the reading. */
	int (*line)(void *arg, struct span line, unsigned number, struct error *err);
	/* NULL, or told of each physical line that begins with a blank, and whether it continues one. */
	void (*indented)(void *arg, struct span line, unsigned number, bool continues);
	void *arg;
};

/* Gives each logical line of text: a line that begins with a blank continues the previous one; empty lines and
 * comments (#) are skipped, also between continuations. 0, or -1 from the reader. */
int lines_each(struct span text, const struct line_reader *r, struct error *err);

/* Takes the next element of a list (commas, blanks) off *rest; braces hold one together and are kept. False at the
 * end. */
bool list_next(struct span *rest, struct span *element);
/* Whether one of the words (separated by blanks) is this one, without regard to case. */
bool list_names(const char *words, struct span word);
/* The inside of "{...}", trimmed; anything else as it is. */
struct span list_unbraced(struct span element);

#endif
