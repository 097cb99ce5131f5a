/*
 * span.h: spans, words and letters of ASCII, whatever the locale.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

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
size_t span_lines(struct span s);			/* how many LFs it has */
/* Without its first n bytes, which must be there. */
struct span span_from(struct span s, size_t n);
/* Takes prefix off the front of *s, if it begins with it. */
bool span_take(struct span *s, const char *prefix);
bool span_takecase(struct span *s, const char *prefix);	/* without regard to ASCII case */
/* Cuts s at the first such byte: what stands before it, and after it. False where there is none: all is before, and
 * *after empty. */
bool span_cut(struct span s, char at, struct span *before, struct span *after);
/* The same bytes as a C string. False (out "") where they do not fit into size bytes, or hold a NUL. */
bool span_copy(struct span s, char *out, size_t size);
/* The same bytes as a new C string (caller frees), or NULL without memory or with a NUL inside. */
char *span_dup(struct span s);

/* Locale-free ASCII. */
bool ascii_space(char c);	/* blank, tab, CR, LF, VT, FF */
bool ascii_digit(char c);
bool ascii_alpha(char c);
char ascii_lower(char c);
bool ascii_case_equal(const char *a, const char *b);
bool ascii_case_prefix(const char *s, const char *prefix);

#endif
