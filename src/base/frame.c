#include "config.h"
#include "base/frame.h"
#include "base/limits.h"
#include "base/text/number.h"

#include <string.h>

enum { HEAD = 5 };

size_t frame_begin(struct buf *out, uint8_t type)
{
	size_t mark = out->len;

	buf_add_be(out, type, 1);
	buf_add_be(out, 0, 4);
	return mark;
}

void frame_u8(struct buf *out, uint8_t v)
{
	buf_add_be(out, v, 1);
}

void frame_u32(struct buf *out, uint32_t v)
{
	buf_add_be(out, v, 4);
}

void frame_u64(struct buf *out, uint64_t v)
{
	buf_add_be(out, v, 8);
}

void frame_i64(struct buf *out, int64_t v)
{
	buf_add_be(out, (uint64_t)v, 8);
}

void frame_str(struct buf *out, const char *p, size_t n)
{
	buf_add_be(out, n, 4);
	buf_add(out, p, n);
}

void frame_cstr(struct buf *out, const char *s)
{
	frame_str(out, s ? s : "", s ? strlen(s) : 0);
}

void frame_finish(struct buf *out, size_t mark)
{
	if (!buf_ok(out))
		return;
	for (size_t n = out->len - mark - HEAD, at = mark + HEAD; at-- > mark + 1; n >>= 8)
		out->data[at] = (char)n;
}

int frame_parse(struct span in, struct frame *f, size_t *used)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n;

	if (in.n < HEAD)
		return 0;
	n = number_be(p + 1, 4);
	if (n > LIMIT_FRAME)
		return -1;
	if (in.n < HEAD + n)
		return 0;
	*f = (struct frame){.type = p[0], .p = p + HEAD, .n = n};
	*used = HEAD + n;
	return 1;
}

static const unsigned char *frame_take(struct frame *f, size_t n)
{
	const unsigned char *p = f->p;

	if (f->bad || f->n < n) {
		f->bad = true;
		return NULL;
	}
	f->p += n;
	f->n -= n;
	return p;
}

uint64_t frame_get_be(struct frame *f, size_t n)
{
	const unsigned char *p = frame_take(f, n);

	return p ? number_be(p, n) : 0;
}

uint8_t frame_get_u8(struct frame *f)
{
	return (uint8_t)frame_get_be(f, 1);
}

uint32_t frame_get_u32(struct frame *f)
{
	return (uint32_t)frame_get_be(f, 4);
}

uint64_t frame_get_u64(struct frame *f)
{
	return frame_get_be(f, 8);
}

int64_t frame_get_i64(struct frame *f)
{
	return (int64_t)frame_get_be(f, 8);
}

struct span frame_get_str(struct frame *f)
{
	size_t n = frame_get_u32(f);
	const unsigned char *p = frame_take(f, n);

	return p ? (struct span){(const char *)p, n} : (struct span){"", 0};
}

void frame_get_cstr(struct frame *f, char *out, size_t size)
{
	if (!span_copy(frame_get_str(f), out, size))
		f->bad = true;
}

bool frame_end(const struct frame *f)
{
	return !f->bad && f->n == 0;
}
