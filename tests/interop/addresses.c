/*
 * addresses.c: the address parser by itself, for public_data.py. Reads field values, each ended by a NUL; for each one
 * line of the recipients that it names, separated by tabs, or "! REASON".
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"

static int show(void *arg, const struct address *a, struct error *err)
{
	(void)err;
	buf_addf(arg, "%s\t", a->spec);
	return 0;
}

static void one(const char *p, size_t n)
{
	struct error err = {0};
	struct buf line;

	buf_init(&line, 1 << 20);
	if (address_each(p, n, 0, show, &line, &err) < 0)
		printf("! %s\n", err.text);
	else
		printf("%s\n", buf_str(&line));
	buf_free(&line);
}

int main(void)
{
	char *value = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getdelim(&value, &room, '\0', stdin)) > 0)
		one(value, value[n - 1] ? (size_t)n : (size_t)n - 1);
	free(value);
	return fflush(stdout) == 0 ? 0 : 1;
}
