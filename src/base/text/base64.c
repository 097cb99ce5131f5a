#include "config.h"
#include "base/text/base64.h"

#include <stdint.h>
#include <string.h>

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (; n; p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		char four[4];

		four[0] = base64_alphabet[v >> 18];
		four[1] = base64_alphabet[v >> 12 & 63];
		four[2] = n > 1 ? base64_alphabet[v >> 6 & 63] : '=';
		four[3] = n > 2 ? base64_alphabet[v & 63] : '=';
		buf_add(out, four, 4);
		n -= n > 3 ? 3 : n;
	}
	return buf_ok(out) ? 0 : -1;
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_alphabet, c) : NULL;

	return at ? (int)(at - base64_alphabet) : -1;
}

int base64_decode(struct buf *out, const char *p, size_t n)
{
	if (n % 4)
		return -1;
	for (size_t i = 0; i < n; i += 4) {
		bool last = i + 4 == n;
		int pad = last && p[i + 3] == '=' ? (p[i + 2] == '=' ? 2 : 1) : 0;
		int a = base64_value(p[i]), b = base64_value(p[i + 1]);
		int c = pad == 2 ? 0 : base64_value(p[i + 2]);
		int d = pad ? 0 : base64_value(p[i + 3]);
		char three[3];

		if (a < 0 || b < 0 || c < 0 || d < 0)
			return -1;
		if ((pad == 2 && (b & 15)) || (pad == 1 && (c & 3)))
			return -1;
		three[0] = (char)(a << 2 | b >> 4);
		three[1] = (char)((b & 15) << 4 | c >> 2);
		three[2] = (char)((c & 3) << 6 | d);
		buf_add(out, three, (size_t)(3 - pad));
	}
	return buf_ok(out) ? 0 : -1;
}
