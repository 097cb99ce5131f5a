#include "config.h"
#include "base/string_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/span.h"

void string_set_init(struct string_set *s, size_t max, bool caseless)
{
	*s = (struct string_set){.caseless = caseless};
	buf_init(&s->text, max);
}

void string_set_free(struct string_set *s)
{
	buf_free(&s->text);
	free(s->at);
	free(s->slots);
	s->at = s->slots = NULL;
	s->n = s->size = 0;
}

const char *string_set_get(const struct string_set *s, size_t i)
{
	return s->text.data + s->at[i];
}

/* FNV-1a */
static size_t hash(const struct string_set *s, const char *word)
{
	uint64_t h = 14695981039346656037u;

	for (; *word; word++)
		h = (h ^ (unsigned char)(s->caseless ? ascii_lower(*word) : *word)) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

static bool same(const struct string_set *s, const char *a, const char *b)
{
	return s->caseless ? ascii_case_equal(a, b) : strcmp(a, b) == 0;
}

/* Where the word is, or the empty slot where it belongs. */
static uint32_t *slot_of(const struct string_set *s, const char *word)
{
	size_t i = hash(s, word) & (s->size - 1);

	while (s->slots[i] && !same(s, string_set_get(s, s->slots[i] - 1), word))
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

static int grow(struct string_set *s)
{
	size_t size = s->size ? s->size * 2 : 16;
	uint32_t *at = realloc(s->at, size / 2 * sizeof(*at)), *slots = at ? calloc(size, sizeof(*slots)) : NULL;

	if (at)
		s->at = at;
	if (!slots)
		return -1;
	free(s->slots);
	s->slots = slots;
	s->size = size;
	for (size_t i = 0; i < s->n; i++)
		*slot_of(s, string_set_get(s, i)) = (uint32_t)i + 1;
	return 0;
}

bool string_set_has(const struct string_set *s, const char *word)
{
	return s->size && *slot_of(s, word);
}

int string_set_add(struct string_set *s, const char *word)
{
	size_t begin = s->text.len;
	uint32_t *slot;

	if (string_set_has(s, word))
		return 0;
	if ((s->n == s->size / 2 && grow(s) < 0) || buf_add(&s->text, word, strlen(word) + 1) < 0)
		return -1;
	s->at[s->n] = (uint32_t)begin;
	slot = slot_of(s, word);
	*slot = (uint32_t)++s->n;
	return 1;
}
