#include "config.h"
#include "base/text/lines.h"

#include <string.h>

struct span lines_without_mark(struct span text)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (text.n >= 3 && memcmp(text.p, mark, 3) == 0)
		text = span_from(text, 3);
	return text;
}

static int give(const struct line_reader *r, const struct buf *logical, unsigned number, struct error *err)
{
	if (!buf_ok(logical))
		return error_set(err, REASON_SYSTEM, "out of memory");
	return number ? r->line(r->arg, buf_span(logical), number, err) : 0;
}

int lines_each(struct span text, const struct line_reader *r, struct error *err)
{
	unsigned number = 0, first = 0;
	struct buf logical;
	int rc = 0;

	text = lines_without_mark(text);
	buf_init(&logical, text.n + 1);
	while (rc == 0 && text.n) {
		struct span line, visible;
		bool indented;

		span_cut(text, '\n', &line, &text);
		visible = span_trim(line);
		indented = visible.n && ascii_space(line.p[0]);
		number++;
		if (!visible.n || visible.p[0] == '#')
			continue;
		if (indented && r->indented)
			r->indented(r->arg, visible, number, first > 0);
		if (indented && first) {
			buf_add(&logical, line.p, (size_t)(visible.p + visible.n - line.p));
			continue;
		}
		rc = give(r, &logical, first, err);
		buf_reset(&logical);
		buf_add(&logical, visible.p, visible.n);
		first = number;
	}
	if (rc == 0)
		rc = give(r, &logical, first, err);
	buf_wipe(&logical);
	return rc;
}

bool list_next(struct span *rest, struct span *element)
{
	int depth = 0;
	size_t n = 0;

	while (rest->n && (ascii_space(rest->p[0]) || rest->p[0] == ','))
		*rest = span_from(*rest, 1);
	if (!rest->n)
		return false;
	for (; n < rest->n; n++) {
		char b = rest->p[n];

		if (b == '{')
			depth++;
		else if (b == '}' && depth)
			depth--;
		else if (!depth && (ascii_space(b) || b == ','))
			break;
	}
	*element = (struct span){rest->p, n};
	*rest = span_from(*rest, n);
	return true;
}

bool list_names(const char *words, struct span word)
{
	struct span rest = span_of(words), one;

	while (span_word(&rest, " ", &one))
		if (one.n == word.n && strncasecmp(one.p, word.p, one.n) == 0)
			return true;
	return false;
}

struct span list_unbraced(struct span element)
{
	if (element.n >= 2 && element.p[0] == '{' && element.p[element.n - 1] == '}')
		return span_trim((struct span){element.p + 1, element.n - 2});
	return element;
}
