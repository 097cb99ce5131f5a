#include "config.h"
#include "base/text/printable.h"

#include <string.h>

/* Length of the well-formed UTF-8 sequence at p, or 0. RFC 3629: no overlong, no surrogates. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xBF;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		len = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		len = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	if (p[0] == 0xE0)
		lo = 0xA0;
	else if (p[0] == 0xED)
		hi = 0x9F;
	else if (p[0] == 0xF0)
		lo = 0x90;
	else if (p[0] == 0xF4)
		hi = 0x8F;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

/* NUL to US, DEL, and U+0080 to U+009F, of which terminals take some for the beginning of a command. */
static bool is_control(const char *p, size_t len)
{
	unsigned char c = (unsigned char)p[0];

	return len == 1 ? c < ' ' || c == 0x7F : len == 2 && c == 0xC2 && (unsigned char)p[1] < 0xA0;
}

/* Whether the rest of a string is the beginning of a UTF-8 letter that a ceiling cut in two. */
static bool utf8_cut_off(const unsigned char *p, size_t n)
{
	if (n > 3 || p[0] < 0xC2 || p[0] > 0xF4)
		return false;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return false;
	return true;
}

size_t text_whole(const char *p, size_t n)
{
	for (size_t cut = 1; cut <= 3 && cut <= n; cut++)
		if (utf8_cut_off((const unsigned char *)p + n - cut, cut))
			return n - cut;
	return n;
}

void text_clean_bytes(char *p, size_t n, const char *keep)
{
	for (size_t i = 0, len; i < n; i += len) {
		bool bad;

		len = utf8_length((unsigned char *)p + i, n - i);
		bad = len == 0 || (is_control(p + i, len) && !(p[i] && strchr(keep, p[i])));
		len = len ? len : 1;
		if (bad)
			memset(p + i, '?', len);
	}
}

void text_clean(char *s)
{
	size_t n = text_whole(s, strlen(s));

	s[n] = '\0';
	text_clean_bytes(s, n, "");
}

bool text_has_control(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_control(p + i, 1) || (i + 1 < n && is_control(p + i, 2)))
			return true;
	return false;
}

/* Runs of good bytes are added at once: listings of a hundred thousand lines pass here. */
void text_printable(struct buf *out, const char *p, size_t n, size_t cap)
{
	size_t used = 0, run = 0, i = 0;

	while (i < n) {
		if (p[i] >= ' ' && p[i] < 0x7F && used + 4 <= cap) {
			i++;
			used++;
			continue;
		}
		size_t len = utf8_length((const unsigned char *)p + i, n - i);
		bool bad = len == 0 || is_control(p + i, len);

		if (used + (len ? len : 1) + 3 > cap && n - i > 3) {
			buf_add(out, p + run, i - run);
			buf_adds(out, "...");
			return;
		}
		if (bad) {
			buf_add(out, p + run, i - run);
			buf_addc(out, '?');
		}
		used += len ? len : 1;
		i += len ? len : 1;
		if (bad)
			run = i;
	}
	buf_add(out, p + run, n - run);
}

bool text_utf8(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = utf8_length((const unsigned char *)p + i, n - i);

		if (!len)
			return false;
		i += len;
	}
	return true;
}

bool text_8bit(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] > 127)
			return true;
	return false;
}

void text_json(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = utf8_length((const unsigned char *)p + i, n - i);
		unsigned char c = (unsigned char)p[i];

		if (len == 0)
			buf_adds(out, "\\ufffd");
		else if (len > 1 && is_control(p + i, len))
			buf_addf(out, "\\u%04x", (unsigned char)p[i + 1]);
		else if (len > 1)
			buf_add(out, p + i, len);
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c < ' ' || c == 0x7F)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addc(out, (char)c);
		i += len ? len : 1;
	}
}

void text_json_member(struct buf *out, const char *name, const char *value)
{
	if (out->len && out->data[out->len - 1] != '{')
		buf_adds(out, ", ");
	buf_addf(out, "\"%s\": \"", name);
	text_json(out, value, strlen(value));
	buf_addc(out, '"');
}
