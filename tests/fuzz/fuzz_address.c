/* fuzz_address.c: lists of addresses. What comes out is fit for an envelope, and reads back as itself. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *p;
	size_t n;
};

static int take(void *arg, const struct address *a, struct error *err)
{
	const struct input *in = arg;
	struct error none;
	struct buf again;

	(void)err;
	if (a->text.n && (a->text.p < in->p || a->text.p + a->text.n > in->p + in->n))
		abort();
	if (a->name.n && (a->name.p < in->p || a->name.p + a->name.n > in->p + in->n))
		abort();
	if (strpbrk(a->spec, "\r\n"))
		abort();
	if (!*a->spec)
		return 0;
	buf_init(&again, 10000);
	if (address_check(a->spec, &none) < 0 || address_one(a->spec, strlen(a->spec), &again, &none) < 0 ||
	    strcmp(buf_str(&again), a->spec) != 0)
		abort();
	buf_free(&again);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct error err;
	char *copy;

	if (!size)
		return 0;
	copy = malloc(size);	/* so that a byte read too far is seen */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	in = (struct input){copy, size - 1};
	address_each(in.p, in.n, data[0] & 3, take, &in, &err);
	free(copy);
	return 0;
}
