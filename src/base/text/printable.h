/*
 * printable.h: foreign bytes made fit for a terminal, a log line or JSON; UTF-8.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Control characters are those of ASCII, DEL, and U+0080 to U+009F. */

/* Replaces control characters in place by '?' (a byte each); a UTF-8 sequence cut off at the end is dropped. */
void text_clean(char *s);
/* The same of n bytes, where those in keep ("\n\t") and all but invalid UTF-8 stay: their number does not change. */
void text_clean_bytes(char *p, size_t n, const char *keep);
/* How many of n bytes there are before a UTF-8 letter of which only the beginning is there. */
size_t text_whole(const char *p, size_t n);
bool text_has_control(const char *p, size_t n);

/* Appends bytes so that they can stand in one log line: control characters and invalid UTF-8 become '?',
 * no more than cap bytes of output, "..." after what was cut. */
void text_printable(struct buf *out, const char *p, size_t n, size_t cap);

/* Whether the bytes are well-formed UTF-8 (RFC 3629); ASCII is. */
bool text_utf8(const char *p, size_t n);
/* Whether any byte is above 127. */
bool text_8bit(const char *p, size_t n);

/* Appends s as the inside of a JSON string (RFC 8259), invalid UTF-8 as U+FFFD. */
void text_json(struct buf *out, const char *p, size_t n);
/* Appends a member of an object, "name": "value", after a comma where it is not the first. */
void text_json_member(struct buf *out, const char *name, const char *value);

#endif
