/* fuzz_input.c: what is piped into sendmail: canonical form, whatever came and however it was cut. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sendmail/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct input *in, const char *p, size_t n, size_t step)
{
	struct error err;
	size_t used = 0;

	for (size_t i = 0; i < n && !in->ended; i += step)
		if (input_add(in, p + i, n - i < step ? n - i : step, &used, &err) < 0)
			return;
	input_end(in, &err);
}

static void check_text(const char *p, size_t n)
{
	if (n && (memchr(p, '\r', n) || memchr(p, '\0', n) || p[n - 1] != '\n'))
		abort();
}

static void check(const struct input *a, const struct input *b)
{
	const struct buf *x = &a->body.memory, *y = &b->body.memory;

	if (a->header.len != b->header.len || memcmp(buf_str(&a->header), buf_str(&b->header), a->header.len) != 0)
		abort();
	if (x->len != y->len || memcmp(buf_str(x), buf_str(y), x->len) != 0)
		abort();
	check_text(buf_str(&a->header), a->header.len);
	check_text(buf_str(x), x->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input whole, cut;

	if (size < 1 || size > 30000)
		return 0;
	input_init(&whole, data[0] & 1, data[0] & 2);
	input_init(&cut, data[0] & 1, data[0] & 2);
	feed(&whole, (const char *)data + 1, size - 1, size);
	feed(&cut, (const char *)data + 1, size - 1, 1 + (data[0] >> 2));
	check(&whole, &cut);
	input_free(&whole);
	input_free(&cut);
	return 0;
}
