/*
 * text.h: small things about text that everybody needs: spans, ASCII case, strict numbers,
 * making foreign bytes printable, UTF-8, Base64, hexadecimal.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes that somebody else owns; not NUL-terminated. */
struct span {
	const char *p;
	size_t n;
};

struct span span_of(const char *s);
bool span_is(struct span s, const char *word);		/* the same bytes */
bool span_iscase(struct span s, const char *word);	/* without regard to ASCII case */
struct span span_trim(struct span s);			/* without blanks, tabs, CR, LF at both ends */
/* Takes the next word (runs of the bytes in seps separate) off the front of *rest; false at the end. */
bool span_word(struct span *rest, const char *seps, struct span *word);
/* The same bytes as a new C string (caller frees), or NULL without memory or with a NUL inside. */
char *span_dup(struct span s);

/* Locale-free ASCII. */
bool ascii_space(char c);	/* blank, tab, CR, LF, VT, FF */
bool ascii_digit(char c);
bool ascii_alpha(char c);
char ascii_lower(char c);
bool ascii_case_equal(const char *a, const char *b);
bool ascii_case_prefix(const char *s, const char *prefix);

/* Whether one of the words (separated by '|', each may hold blanks) stands somewhere in text, without regard to case. */
bool text_has_word(const char *text, const char *words);

/* Decimal digits only, the whole of it, at most max. False (and *out untouched) otherwise. */
bool text_u64(struct span s, uint64_t max, uint64_t *out);

/* Control characters are those of ASCII, DEL, and U+0080 to U+009F. */

/* Replaces control characters in place by '?' (a byte each); a UTF-8 sequence cut off at the end is dropped. */
void text_clean(char *s);

/* Appends bytes so that they can stand in one log line: control characters and invalid UTF-8 become '?',
 * no more than cap bytes of output, "..." behind what was cut. */
void text_printable(struct buf *out, const char *p, size_t n, size_t cap);

/* Whether the bytes are well-formed UTF-8 (RFC 3629); ASCII is. */
bool text_utf8(const char *p, size_t n);
/* Whether any byte is above 127. */
bool text_8bit(const char *p, size_t n);
/* How many newlines there are. */
uint64_t text_lines(const char *p, size_t n);

/* Appends s as the inside of a JSON string (RFC 8259), invalid UTF-8 as U+FFFD. */
void text_json(struct buf *out, const char *p, size_t n);

/* Base64 (RFC 4648 4), no line breaks. Decoding is strict: wrong padding or alphabet is -1. */
int base64_encode(struct buf *out, const void *p, size_t n);
int base64_decode(struct buf *out, const char *p, size_t n);

/* Fills p with random bytes of the kernel; 0, or -1 with errno. */
int random_bytes(void *p, size_t n);

#endif
