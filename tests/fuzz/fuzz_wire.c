/* fuzz_wire.c: the wire form: no bare CR or LF, no line over 998, one end of data, and the same however it was cut. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/recode.h"
#include "mail/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void to_wire(struct buf *out, const char *p, size_t n, size_t step, bool dots)
{
	struct wire w;

	wire_init(&w, dots);
	for (size_t i = 0; i < n; i += step)
		wire_add(&w, out, p + i, n - i < step ? n - i : step);
	wire_end(&w, out);
}

static void recode(struct buf *out, const char *p, size_t n, size_t step)
{
	struct recode *r = recode_new();

	if (!r)
		abort();
	for (size_t i = 0; i < n; i += step)
		recode_add(r, out, p + i, n - i < step ? n - i : step);
	recode_end(r, out);
	recode_free(r);
}

static void check(const struct buf *b, bool dots)
{
	const char *p = buf_str(b), *end = p + b->len;
	size_t column = 0;

	for (; p < end; p++) {
		if (*p == '\r' && (p + 1 == end || p[1] != '\n'))
			abort();
		if (*p == '\n' && (p == buf_str(b) || p[-1] != '\r'))
			abort();
		if (dots && column == 0 && end - p > 3 && memcmp(p, ".\r\n", 3) == 0)
			abort();
		column = *p == '\n' ? 0 : column + 1;
		if (column > 1000)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct buf once, cut;
	size_t step;
	bool dots;

	if (size < 2)
		return 0;
	dots = data[0] & 1;
	step = 1 + (data[0] >> 1);
	buf_init(&once, 64 << 20);
	buf_init(&cut, 64 << 20);
	to_wire(&once, p, size - 1, size, dots);
	to_wire(&cut, p, size - 1, step, dots);
	check(&once, dots);
	if (once.len != cut.len || memcmp(buf_str(&once), buf_str(&cut), cut.len) != 0)
		abort();
	buf_reset(&once);
	buf_reset(&cut);
	recode(&once, p, size - 1, size);
	recode(&cut, p, size - 1, step);
	if (once.len != cut.len || memcmp(buf_str(&once), buf_str(&cut), cut.len) != 0)
		abort();
	buf_free(&once);
	buf_free(&cut);
	return 0;
}
