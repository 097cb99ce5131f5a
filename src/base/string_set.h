/*
 * string_set.h: a set of strings, kept in the order in which they came.
 */
#ifndef BASE_STRING_SET_H
#define BASE_STRING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct string_set {
	struct buf text;	/* the strings, each with its NUL */
	uint32_t *at;		/* where each begins, in order */
	uint32_t *slots;	/* a hash table: index + 1, 0: empty */
	size_t n, size;
	bool caseless;		/* for ASCII */
};

/* max: bytes of all strings together. */
void string_set_init(struct string_set *s, size_t max, bool caseless);
void string_set_free(struct string_set *s);
/* 1: it is new, 0: it was there, -1: no memory, or over the ceiling. */
int string_set_add(struct string_set *s, const char *word);
bool string_set_has(const struct string_set *s, const char *word);
/* The i-th; valid until the next one is added. */
const char *string_set_get(const struct string_set *s, size_t i);

#endif
