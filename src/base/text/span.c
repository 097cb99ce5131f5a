#include "config.h"
#include "base/text/span.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

size_t span_lines(struct span s)
{
	const char *end = s.p + s.n;
	size_t lines = 0;

	while (s.p < end && (s.p = memchr(s.p, '\n', (size_t)(end - s.p)))) {
		lines++;
		s.p++;
	}
	return lines;
}

struct span span_from(struct span s, size_t n)
{
	return (struct span){s.p + n, s.n - n};
}

static bool take(struct span *s, const char *prefix, bool (*same)(struct span, const char *))
{
	size_t n = strlen(prefix);

	if (s->n < n || !same((struct span){s->p, n}, prefix))
		return false;
	*s = span_from(*s, n);
	return true;
}

bool span_take(struct span *s, const char *prefix)
{
	return take(s, prefix, span_is);
}

bool span_takecase(struct span *s, const char *prefix)
{
	return take(s, prefix, span_iscase);
}

bool span_cut(struct span s, char at, struct span *before, struct span *after)
{
	const char *found = memchr(s.p, at, s.n);

	*before = (struct span){s.p, found ? (size_t)(found - s.p) : s.n};
	*after = found ? span_from(s, before->n + 1) : (struct span){"", 0};
	return found;
}

bool span_copy(struct span s, char *out, size_t size)
{
	out[0] = '\0';
	if (s.n >= size || memchr(s.p, '\0', s.n))
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
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
