/* credentials/sha256.h: SHA-256 (FIPS 180-4), so that a program which needs a fingerprint links no TLS library for it. */
#ifndef CONF_SHA256_H
#define CONF_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

struct sha256 {
	uint32_t h[8];
	uint64_t bytes;
	unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_SIZE]);

#endif
