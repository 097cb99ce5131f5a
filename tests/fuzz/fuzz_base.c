/* fuzz_base.c: what of base reads foreign bytes: frames, Base64, printable text, UTF-8, JSON. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/frame.h"
#include "base/text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void read_frames(const char *p, size_t n)
{
	struct frame f;
	size_t used;

	while (frame_parse((struct span){p, n}, &f, &used) == 1) {
		char word[32];

		must(used <= n);
		frame_get_u8(&f);
		frame_get_str(&f);
		frame_get_u32(&f);
		frame_get_cstr(&f, word, sizeof word);
		frame_get_i64(&f);
		frame_end(&f);
		p += used;
		n -= used;
	}
}

static void base64_both_ways(const char *p, size_t n)
{
	struct buf b64, back;

	buf_init(&b64, 2 * n + 16);
	buf_init(&back, n + 16);
	must(!base64_encode(&b64, p, n));
	must(!base64_decode(&back, buf_str(&b64), b64.len));
	must(back.len == n && !memcmp(buf_str(&back), p, n));
	buf_reset(&back);
	base64_decode(&back, p, n);
	buf_free(&b64);
	buf_free(&back);
}

static void shown(const char *p, size_t n)
{
	struct buf b;

	buf_init(&b, 16 * n + 64);
	text_printable(&b, p, n, n + 16);
	for (size_t i = 0; i < b.len; i++)
		must((unsigned char)b.data[i] >= ' ' && b.data[i] != 127);
	must(text_utf8(buf_str(&b), b.len));
	buf_reset(&b);
	text_json(&b, p, n);
	must(buf_ok(&b) && text_utf8(buf_str(&b), b.len));
	for (size_t i = 0; i < b.len; i++)
		must((unsigned char)b.data[i] >= ' ');
	buf_reset(&b);
	buf_add(&b, p, n);
	must(text_whole(p, n) <= n && n - text_whole(p, n) <= 3);
	text_clean_bytes(b.data, b.len, "\n");
	must(b.len == n && text_utf8(buf_str(&b), n));
	for (size_t i = 0; i < n; i++)
		must(b.data[i] == '\n' ? p[i] == '\n' : !text_has_control(b.data + i, 1));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = size ? (const char *)data : "";
	uint64_t number;

	read_frames(p, size);
	base64_both_ways(p, size);
	shown(p, size);
	text_u64((struct span){p, size}, UINT64_MAX, &number);
	return 0;
}
