/*
 * base64.h: Base64.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* Base64 (RFC 4648 4), no line breaks. Decoding is strict: wrong padding or alphabet is -1. */
int base64_encode(struct buf *out, const void *p, size_t n);
int base64_decode(struct buf *out, const char *p, size_t n);

#endif
