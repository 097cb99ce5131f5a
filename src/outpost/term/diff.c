#include "config.h"
#include "outpost/term/diff.h"

#include <stdio.h>
#include <string.h>

#include "base/text/text.h"
#include "outpost/command.h"

static bool next_line(struct span *rest, struct span *line)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end ? (size_t)(end - rest->p) : rest->n, skip = n + (end != NULL);

	if (!rest->n)
		return false;
	*line = (struct span){rest->p, n};
	*rest = (struct span){rest->p + skip, rest->n - skip};
	return true;
}

static bool has_line(const struct buf *text, struct span wanted)
{
	struct span rest = {buf_str(text), text->len}, line;

	while (next_line(&rest, &line))
		if (line.n == wanted.n && memcmp(line.p, wanted.p, line.n) == 0)
			return true;
	return false;
}

/* How much of a line may be shown: of "key user:password" up to the colon, of a map that holds its values in main.cf up
 * to its type. */
static size_t shown_part(struct span line, bool secret)
{
	static const char *const types[] = {"static:", "inline:"};
	size_t key = 0;
	const char *colon;

	if (line.n == 0 || line.p[0] == '#')
		return line.n;
	for (size_t i = 0; i < 2; i++) {
		const char *type = memmem(line.p, line.n, types[i], strlen(types[i]));

		if (type)
			return (size_t)(type - line.p) + strlen(types[i]);
	}
	if (!secret)
		return line.n;
	while (key < line.n && line.p[key] != ' ' && line.p[key] != '\t')
		key++;
	colon = memchr(line.p + key, ':', line.n - key);
	return colon ? (size_t)(colon + 1 - line.p) : key < line.n ? key : 0;
}

static void print_line(char mark, struct span line, bool secret)
{
	const char *begin = !term_color() ? "" : mark == '+' ? "\033[32m" : mark == '-' ? "\033[31m" : "";
	size_t shown = shown_part(line, secret);

	printf("%s", begin);
	term_print("%c%.*s%s", mark, (int)shown, line.p, shown < line.n ? "********" : "");
	printf("%s\n", *begin ? "\033[0m" : "");
}

bool diff_print(const char *path, const struct buf *old, const struct buf *new_text, bool secret)
{
	struct span rest = {buf_str(old), old->len}, line;

	if (old->len == new_text->len && memcmp(buf_str(old), buf_str(new_text), old->len) == 0)
		return false;
	term_print("--- %s%s\n+++ %s\n", path, old->len ? "" : " (not there)", path);
	while (next_line(&rest, &line))
		if (!has_line(new_text, line))
			print_line('-', line, secret);
	rest = (struct span){buf_str(new_text), new_text->len};
	while (next_line(&rest, &line))
		print_line(has_line(old, line) ? ' ' : '+', line, secret);
	return true;
}
