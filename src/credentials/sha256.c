#include "config.h"
#include "credentials/sha256.h"

#include <nettle/sha2.h>
#include <nettle/version.h>
#include <stdio.h>
#include <string.h>

void sha256(const struct span *parts, size_t n, unsigned char sum[SHA256_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < n; i++)
		sha256_update(&ctx, parts[i].n, (const uint8_t *)parts[i].p);
#if NETTLE_VERSION_MAJOR >= 4
	sha256_digest(&ctx, sum);
#else
	sha256_digest(&ctx, SHA256_SIZE, sum);
#endif
	explicit_bzero(&ctx, sizeof(ctx));
}

void sha256_hex(const struct span *parts, size_t n, char hex[SHA256_HEX])
{
	unsigned char sum[SHA256_SIZE];

	sha256(parts, n, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}
