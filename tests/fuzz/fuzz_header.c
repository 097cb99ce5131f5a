/* fuzz_header.c: a header rewritten as at delivery: Bcc is gone, lines fit, the empty line stays; and made 7-bit. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/header.h"
#include "mail/recode.h"
#include "mail/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int get(void *arg, const char *key, struct buf *value, struct error *err)
{
	(void)arg, (void)err;
	if (*key < 'm')
		return 0;
	buf_adds(value, *key < 't' ? "Mapped <mapped@example.org>" : "@example.org");
	return 1;
}

static void check_lines(const struct buf *b)
{
	struct span rest = {buf_str(b), b->len};
	struct field f;

	while (header_next(&rest, &f)) {
		if (field_class(field_kind(f.name)) & FIELD_CLASS_DROP)
			abort();
		for (size_t i = 0, column = 0; i < f.raw.n; i++) {
			column = f.raw.p[i] == '\n' ? 0 : column + 1;
			if (column > 998 && field_kind(f.name) != FIELD_RECEIVED)
				abort();
		}
	}
}

static void check_seven_bit(const char *p, size_t n)
{
	struct recode *r = recode_new();
	struct buf out;

	if (!r)
		return;
	buf_init(&out, n * 20 + 10000);
	recode_add(r, &out, p, n);
	recode_end(r, &out);
	if (text_8bit(buf_str(&out), out.len))
		abort();
	recode_free(r);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rewrite_rules r = {.myorigin = "example.com", .myhostname = "h.example.com", .recipient_delimiter = "+",
				  .local_domains = "h.example.com, localhost", .masquerade_domains = "example.com",
				  .masquerade_exceptions = "root", .always_bcc = "", .from_address = "",
				  .from_address_keep = "reply-to"};
	struct error err;
	struct buf out;
	char *copy;

	if (!size)
		return 0;
	if (data[0] & 1)
		r.generic = r.canonical = (struct rewrite_map){get, NULL};
	if (data[0] & 2)
		r.from_address = "Ops <ops@example.org>";
	r.from_address_keep = data[0] & 4 ? "header" : "reply-to";
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	buf_init(&out, 64 << 20);
	if (rewrite_header(&r, "4QUEUEID", copy, size - 1, &out, &err) == 0)
		check_lines(&out);
	check_seven_bit(copy, size - 1);
	buf_free(&out);
	free(copy);
	return 0;
}
