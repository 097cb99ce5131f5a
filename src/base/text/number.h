/*
 * number.h: strict numbers.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/span.h"

/* Decimal digits only, the whole of it, at most max. False (and *out untouched) otherwise. */
bool text_u64(struct span s, uint64_t max, uint64_t *out);

/* What n bytes say, at most 8, the high ones first. */
uint64_t number_be(const void *p, size_t n);

/* The value of a hexadecimal digit, of either case; -1 for any other byte. */
int hex_digit(char c);
/* That of the two digits that s begins with, or -1. */
int hex_byte(struct span s);

#endif
