#include "config.h"
#include "control/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/text.h"

static bool is_plain(unsigned char c)
{
	return c > ' ' && c != '%' && c != 0x7f;
}

/* An empty word is written as a lone "%": nothing else encodes to that. */
static void put_word(struct buf *out, const char *w)
{
	if (!*w)
		buf_addc(out, '%');
	for (; *w; w++) {
		unsigned char c = (unsigned char)*w;

		if (is_plain(c))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

int control_put_request(struct buf *out, const char *const *words, size_t n)
{
	buf_adds(out, CONTROL_MAGIC);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ' ');
		put_word(out, words[i]);
	}
	buf_addc(out, '\n');
	return buf_ok(out) ? 0 : -1;
}

/* One decoded word, or NULL: a bare control byte, a bad escape, an encoded NUL, no memory. */
static char *get_word(struct span w)
{
	char *out = malloc(w.n + 1);
	size_t len = 0;

	if (!out)
		return NULL;
	if (span_is(w, "%"))
		w.n = 0;
	for (size_t i = 0; i < w.n; i++) {
		bool escape = w.p[i] == '%';
		int c = escape ? hex_byte(span_from(w, i + 1)) : (unsigned char)w.p[i];

		if (escape ? c <= 0 : !is_plain((unsigned char)c))
			goto bad;
		out[len++] = (char)c;
		i += escape ? 2 : 0;
	}
	out[len] = '\0';
	return out;
bad:
	free(out);
	return NULL;
}

int control_get_request(const char *line, size_t n, char **words, size_t max)
{
	struct span rest = {line, n}, w;
	int count = 0;

	if (!span_take(&rest, CONTROL_MAGIC))
		return -1;
	while (span_word(&rest, " ", &w)) {
		char *word = (size_t)count < max ? get_word(w) : NULL;

		if (!word) {
			control_free_words(words, count);
			return -1;
		}
		words[count++] = word;
	}
	return count ? count : -1;
}

void control_free_words(char **words, int n)
{
	for (int i = 0; i < n; i++)
		free(words[i]);
}

int control_put_text(struct buf *out, char prefix, const char *p, size_t n)
{
	struct span rest = {p, n}, line;

	while (rest.n) {
		span_cut(rest, '\n', &line, &rest);
		buf_addc(out, prefix);
		buf_add(out, line.p, line.n);
		buf_addc(out, '\n');
	}
	return buf_ok(out) ? 0 : -1;
}

int control_put_bytes(struct buf *out, const char *p, size_t n)
{
	while (n) {
		size_t most = n < CONTROL_PIECE ? n : CONTROL_PIECE;
		const char *nl = memchr(p, '\n', most);
		size_t len = nl ? (size_t)(nl - p) : most;

		control_put_text(out, nl ? '>' : '+', p, nl ? len + 1 : len);
		n -= nl ? len + 1 : len;
		p += nl ? len + 1 : len;
	}
	return buf_ok(out) ? 0 : -1;
}

int control_put_end(struct buf *out, int code, const char *text)
{
	size_t start;

	buf_addf(out, "=%d ", code);
	start = out->len;
	buf_adds(out, text);
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	buf_addc(out, '\n');
	return buf_ok(out) ? 0 : -1;
}
