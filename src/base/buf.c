#include "config.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

struct buf buf_over(char *memory, size_t size)
{
	memory[0] = '\0';
	return (struct buf){.data = memory, .cap = size, .max = size - 1, .borrowed = true};
}

void buf_free(struct buf *b)
{
	size_t max = b->max;

	if (b->borrowed) {
		buf_reset(b);
		return;
	}
	free(b->data);
	buf_init(b, max);
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = b->starved = false;
	if (b->data)
		b->data[0] = '\0';
}

bool buf_ok(const struct buf *b)
{
	return !b->failed;
}

/* Not realloc: the old bytes may be a secret and must not stay behind in freed memory. */
static int buf_grow(struct buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : 64;
	char *data;

	while (cap < want + 1)
		cap = cap > (size_t)-1 / 2 ? want + 1 : cap * 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	data = malloc(cap);
	if (!data)
		return -1;
	if (b->data) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->cap); /* also what was cut off or dropped */
		free(b->data);
	}
	data[b->len] = '\0';
	b->data = data;
	b->cap = cap;
	return 0;
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->failed || n > b->max || b->len > b->max - n)
		goto fail;
	if (b->len + n + 1 > b->cap && buf_grow(b, b->len + n) < 0) {
		b->starved = true;
		goto fail;
	}
	return b->data + b->len;
fail:
	b->failed = true;
	return NULL;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	char *p = buf_room(b, len);

	if (!p)
		return -1;
	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_addc(struct buf *b, char c)
{
	if (b->failed || b->len + 1 >= b->cap)
		return buf_add(b, &c, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
	return 0;
}

/* Most texts fit where there is room already and are formatted once. */
int buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	size_t spare = b->cap > b->len && !b->failed ? b->cap - b->len : 0;
	va_list again;
	char *p = NULL;
	int n;

	va_copy(again, ap);
	n = vsnprintf(spare ? b->data + b->len : NULL, spare, fmt, ap);
	if (n >= 0 && (size_t)n < spare && (size_t)n <= b->max - b->len)
		p = b->data + b->len;
	else if (n >= 0 && (p = buf_room(b, (size_t)n)))
		vsnprintf(p, (size_t)n + 1, fmt, again);
	if (p)
		b->len += (size_t)n;
	va_end(again);
	if (!p) {
		b->failed = true;
		if (b->data)
			b->data[b->len] = '\0';
	}
	return p ? 0 : -1;
}

int buf_add_be(struct buf *b, uint64_t number, size_t n)
{
	char bytes[8];

	for (size_t i = n; i-- > 0; number >>= 8)
		bytes[i] = (char)number;
	return buf_add(b, bytes, n);
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_addv(b, fmt, ap);
	va_end(ap);
	return rc;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

void buf_cut(struct buf *b, size_t n)
{
	if (n >= b->len)
		return;
	b->len = n;
	b->data[n] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

struct span buf_span(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}
