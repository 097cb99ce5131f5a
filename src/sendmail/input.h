/*
 * input.h: a message as a program pipes it, brought into canonical form while it is read: LF line ends, no CR, no NUL,
 * header and body told apart.
 *
 * One CR before LF is dropped; every other CR, and NUL, becomes a blank: so no bare CR, bare LF or "\n.\n" that
 * somebody put together can ever come to the wire. What is the header is decided line by line (see input.c).
 */
#ifndef SENDMAIL_INPUT_H
#define SENDMAIL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/files/spill.h"

struct input {
	struct buf header;	/* fields, without the empty line */
	struct spill body;
	bool ended;		/* a line with only a dot came, where that is the end */
	bool eight_bit;		/* in the body */
	bool utf8;		/* the body's 8-bit bytes are well-formed UTF-8 */
	bool had_nul, had_cr;	/* told once, in the log */
	bool discard;		/* set by the caller: look for the end, keep nothing */
	uint64_t limit;		/* set by the caller: more bytes of text are refused (EX_UNAVAILABLE 5.3.4); 0: none */
	/* private */
	bool dots;		/* a dot alone ends the input */
	bool stuffed;		/* SMTP: a leading dot is taken off lines that have more */
	bool in_body;
	bool known;		/* the header has a field that mail uses */
	bool first;		/* no line was seen yet */
	size_t indent;		/* blanks before every header line (a here-document) */
	size_t crs;		/* CRs whose successor is not known yet */
	bool at_start;		/* of a line */
	bool held_dot;
	bool any_line;		/* a line ended */
	bool strict;		/* the first one with CR LF: a dot between other line ends is text */
	bool crlf;		/* the last one did */
	int utf8_left;
	struct buf line;
};

/* dots: as said above; stuffed: the input is SMTP's, dots doubled and a dot alone the end. */
void input_init(struct input *in, bool dots, bool stuffed);
void input_free(struct input *in);

/* Takes n bytes; *used is fewer only when the end came (ended). */
int input_add(struct input *in, const char *p, size_t n, size_t *used, struct error *err);
/* The end: an unfinished last line gets its LF. */
int input_end(struct input *in, struct error *err);

/* Reads a descriptor to its end. */
int input_read(struct input *in, int fd, struct error *err);

/* Reads what still comes and forgets it, for a while: the message was refused, and a program that is still writing it
 * should read why, and not die of SIGPIPE or report EPIPE instead. */
void input_drain(int fd);

#endif
