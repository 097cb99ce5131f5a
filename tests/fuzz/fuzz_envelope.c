/* fuzz_envelope.c: a recipient through aliases that an attacker wrote: every result is an address, and it ends. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"
#include "mail/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is lines: first the recipient, then "name value" pairs. */
struct text {
	const char *p;
	size_t n;
};

static int get(void *arg, const char *key, struct buf *value, struct error *err)
{
	const struct text *t = arg;
	struct span rest = {t->p, t->n}, line;
	size_t n = strlen(key);

	(void)err;
	while (span_word(&rest, "\n", &line))
		if (line.n > n && line.p[n] == ' ' && memcmp(line.p, key, n) == 0)
			return buf_add(value, line.p + n + 1, line.n - n - 1) < 0 ? 0 : 1;
	return 0;
}

static int include(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err)
{
	const struct text *t = arg;

	(void)path, (void)everybodys, (void)err;
	return buf_add(text, t->p, t->n < 200 ? t->n : 200);
}

static int each(void *arg, const char *address)
{
	struct error err;

	if (!*address || address_check(address, &err) < 0 || !strchr(address, '@'))
		abort();
	return ++*(int *)arg > 5000 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rewrite_rules r = {.myorigin = "example.com", .myhostname = "h.example.com", .recipient_delimiter = "+",
				  .local_domains = "h.example.com", .include = include};
	const char *nl = memchr(data, '\n', size);
	struct error err;
	struct buf note;
	struct text text;
	char *name;
	int count = 0;

	if (!nl || size > 4000)
		return 0;
	name = span_dup((struct span){(const char *)data, (size_t)(nl - (const char *)data)});
	if (!name)
		return 0;
	text = (struct text){nl + 1, size - (size_t)(nl + 1 - (const char *)data)};
	r.aliases = (struct rewrite_map){get, &text};
	r.include_arg = &text;
	if (strlen(name) & 1)
		r.generic = r.canonical = r.aliases;
	buf_init(&note, 1 << 20);
	rewrite_recipient(&r, name, each, &count, &note, &err);
	buf_free(&note);
	free(name);
	return 0;
}
