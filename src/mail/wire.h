/*
 * wire.h: the wire form, made in this one place (RFC 5321 4.5.2, RFC 5322 2.1.1). Canonical form in (LF line ends),
 * CRLF out: never a CR or LF alone, no line over 998 bytes without its CRLF. Streaming: any cut of the input gives the
 * same output.
 */
#ifndef MAIL_WIRE_H
#define MAIL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct wire {
	bool dots;		/* DATA: stuff leading dots, end with ".\r\n" */
	bool at_start;		/* of a line */
	bool in_header;
	size_t column;
	bool pending_cr;
};

/* dots: for DATA; without them for BDAT. */
void wire_init(struct wire *w, bool dots);
/* Appends the wire form of n bytes to out. */
int wire_add(struct wire *w, struct buf *out, const char *p, size_t n);
/* Ends an unfinished line, and for DATA adds the final dot. */
int wire_end(struct wire *w, struct buf *out);

#endif
