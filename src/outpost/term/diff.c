#include "config.h"
#include "outpost/term/diff.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "outpost/command.h"

enum { LINES_MAX = 2000, AROUND = 3 };

struct text {
	struct span line[LINES_MAX];
	size_t n;
};

/* The last element holds the rest of a longer text as one line. */
static void split(const struct buf *b, struct text *t)
{
	struct span rest = {buf_str(b), b->len};

	t->n = 0;
	while (rest.n > 0 && t->n < LINES_MAX) {
		const char *nl = t->n + 1 < LINES_MAX ? memchr(rest.p, '\n', rest.n) : NULL;
		size_t n = nl ? (size_t)(nl - rest.p) : rest.n;

		t->line[t->n++] = (struct span){rest.p, n};
		n += nl != NULL;
		rest.p += n;
		rest.n -= n;
	}
}

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* How much of a line may be shown: of "key user:password" up to the colon, of a map that holds its values in main.cf up
 * to its type. */
static size_t shown_part(struct span line, bool secret)
{
	static const char *const types[] = {"static:", "inline:"};
	const char *blank = memchr(line.p, ' ', line.n), *tab = memchr(line.p, '\t', line.n);
	const char *value = blank && (!tab || blank < tab) ? blank : tab;
	const char *colon = value ? memchr(value, ':', line.n - (size_t)(value - line.p)) : NULL;

	if (line.n == 0 || line.p[0] == '#')
		return line.n;
	for (size_t i = 0; i < 2; i++) {
		const char *type = memmem(line.p, line.n, types[i], strlen(types[i]));

		if (type)
			return (size_t)(type - line.p) + strlen(types[i]);
	}
	if (!secret)
		return line.n;
	return colon ? (size_t)(colon + 1 - line.p) : value ? (size_t)(value - line.p) : 0;
}

static void print_line(char mark, struct span line, bool secret, bool color)
{
	const char *begin = !color ? "" : mark == '+' ? "\033[32m" : mark == '-' ? "\033[31m" : "";
	size_t shown = shown_part(line, secret);

	printf("%s%c%.*s%s%s\n", begin, mark, (int)shown, line.p, shown < line.n ? "********" : "", *begin ? "\033[0m" : "");
}

/* Longest common subsequence, by lengths of the common rest. */
static uint16_t *common_rest(const struct text *a, const struct text *b)
{
	size_t w = b->n + 1;
	uint16_t *len = calloc((a->n + 1) * w, sizeof(*len));

	for (size_t i = a->n; len && i-- > 0;)
		for (size_t j = b->n; j-- > 0;) {
			uint16_t down = len[(i + 1) * w + j], right = len[i * w + j + 1];

			len[i * w + j] = same(a->line[i], b->line[j]) ? (uint16_t)(len[(i + 1) * w + j + 1] + 1)
				       : down > right ? down : right;
		}
	return len;
}

static bool walk(const struct text *a, const struct text *b, const uint16_t *len, bool secret, bool color)
{
	size_t i = 0, j = 0, w = b->n + 1, quiet = AROUND;
	bool differs = false;

	while (i < a->n || j < b->n) {
		if (i < a->n && j < b->n && same(a->line[i], b->line[j])) {
			if (quiet++ < AROUND)
				print_line(' ', a->line[i], secret, color);
			i++;
			j++;
			continue;
		}
		differs = true;
		quiet = 0;
		if (j >= b->n || (i < a->n && len[(i + 1) * w + j] >= len[i * w + j + 1]))
			print_line('-', a->line[i++], secret, color);
		else
			print_line('+', b->line[j++], secret, color);
	}
	return differs;
}

bool diff_print(const char *path, const struct buf *old, const struct buf *new_text, bool secret)
{
	struct text *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	uint16_t *len = NULL;
	bool differs = true;

	if (a && b) {
		split(old, a);
		split(new_text, b);
		len = common_rest(a, b);
	}
	if (old->len != new_text->len || memcmp(buf_str(old), buf_str(new_text), old->len) != 0)
		printf("--- %s%s\n+++ %s\n", path, old->len ? "" : " (not there)", path);
	if (len)
		differs = walk(a, b, len, secret, term_color());
	free(len);
	free(a);
	free(b);
	return differs;
}
