#include "config.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

struct span span_of(const char *s)
{
	return (struct span){s, strlen(s)};
}

bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.n && memcmp(s.p, word, s.n) == 0;
}

bool span_iscase(struct span s, const char *word)
{
	if (strlen(word) != s.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (ascii_lower(s.p[i]) != ascii_lower(word[i]))
			return false;
	return true;
}

struct span span_trim(struct span s)
{
	while (s.n && ascii_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && ascii_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool span_word(struct span *rest, const char *seps, struct span *word)
{
	size_t n = 0;

	while (rest->n && rest->p[0] && strchr(seps, rest->p[0])) {
		rest->p++;
		rest->n--;
	}
	if (!rest->n)
		return false;
	while (n < rest->n && !(rest->p[n] && strchr(seps, rest->p[n])))
		n++;
	*word = (struct span){rest->p, n};
	rest->p += n;
	rest->n -= n;
	return true;
}

static bool holds(const char *text, struct span word)
{
	for (; *text; text++)
		if (strncasecmp(text, word.p, word.n) == 0)
			return true;
	return false;
}

bool text_has_word(const char *text, const char *words)
{
	struct span rest = span_of(words), word;

	while (span_word(&rest, "|", &word))
		if (holds(text, word))
			return true;
	return false;
}

char *span_dup(struct span s)
{
	char *copy;

	if (memchr(s.p, '\0', s.n))
		return NULL;
	copy = malloc(s.n + 1);
	if (!copy)
		return NULL;
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

bool ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_alpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool ascii_case_equal(const char *a, const char *b)
{
	return span_iscase(span_of(a), b);
}

bool ascii_case_prefix(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (ascii_lower(*s) != ascii_lower(*prefix))
			return false;
	return true;
}

bool text_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

		if (!ascii_digit(s.p[i]) || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

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

void text_clean(char *s)
{
	size_t n = strlen(s), i = 0;

	while (i < n) {
		size_t len = utf8_length((unsigned char *)s + i, n - i);

		if (len == 0 && utf8_cut_off((unsigned char *)s + i, n - i)) {
			s[i] = '\0';
			return;
		}
		if (len == 0 || is_control(s + i, len))
			memset(s + i, '?', len ? len : 1);
		i += len ? len : 1;
	}
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

uint64_t text_lines(const char *p, size_t n)
{
	const char *end = p + n;
	uint64_t lines = 0;

	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
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

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (; n; p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		char four[4];

		four[0] = base64_alphabet[v >> 18];
		four[1] = base64_alphabet[v >> 12 & 63];
		four[2] = n > 1 ? base64_alphabet[v >> 6 & 63] : '=';
		four[3] = n > 2 ? base64_alphabet[v & 63] : '=';
		buf_add(out, four, 4);
		n -= n > 3 ? 3 : n;
	}
	return buf_ok(out) ? 0 : -1;
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_alphabet, c) : NULL;

	return at ? (int)(at - base64_alphabet) : -1;
}

int base64_decode(struct buf *out, const char *p, size_t n)
{
	if (n % 4)
		return -1;
	for (size_t i = 0; i < n; i += 4) {
		bool last = i + 4 == n;
		int pad = last && p[i + 3] == '=' ? (p[i + 2] == '=' ? 2 : 1) : 0;
		int a = base64_value(p[i]), b = base64_value(p[i + 1]);
		int c = pad == 2 ? 0 : base64_value(p[i + 2]);
		int d = pad ? 0 : base64_value(p[i + 3]);
		char three[3];

		if (a < 0 || b < 0 || c < 0 || d < 0)
			return -1;
		if ((pad == 2 && (b & 15)) || (pad == 1 && (c & 3)))
			return -1;
		three[0] = (char)(a << 2 | b >> 4);
		three[1] = (char)((b & 15) << 4 | c >> 2);
		three[2] = (char)((c & 3) << 6 | d);
		buf_add(out, three, (size_t)(3 - pad));
	}
	return buf_ok(out) ? 0 : -1;
}

int random_bytes(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}
