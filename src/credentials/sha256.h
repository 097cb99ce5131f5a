/* sha256.h: SHA-256 by nettle, so that a program which needs a digest links no TLS library for it. */
#ifndef CREDENTIALS_SHA256_H
#define CREDENTIALS_SHA256_H

#include "base/text/text.h"

enum { SHA256_SIZE = 32, SHA256_HEX = 2 * SHA256_SIZE + 1 };

/* Of the parts, one after the other, nothing between them. */
void sha256(const struct span *parts, size_t n, unsigned char sum[SHA256_SIZE]);
/* The same in hexadecimal, with a NUL. */
void sha256_hex(const struct span *parts, size_t n, char hex[SHA256_HEX]);

#endif
