#include "config.h"
#include "smtp/ehlo.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Appends a word to a blank-separated list of fixed size; one that doesn't fit whole is left out. */
static void add_word(char *list, size_t size, struct span word, bool upper)
{
	size_t len = strlen(list);

	if (!word.n || len + word.n + 2 > size)
		return;
	if (len)
		list[len++] = ' ';
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (c <= ' ' || c > '~')
			c = '?';
		list[len++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	list[len] = '\0';
}

static void take_size(struct ehlo *e, struct span rest)
{
	struct span word;

	e->size = true;
	if (span_word(&rest, " \t", &word) && !text_u64(word, INT64_MAX, &e->size_limit))
		e->size_limit = 0;
}

/* "AUTH PLAIN LOGIN", and the "AUTH=PLAIN LOGIN" of old servers. */
static void take_auth(struct ehlo *e, struct span rest)
{
	struct span word;

	while (span_word(&rest, " \t=", &word))
		add_word(e->auth, sizeof(e->auth), word, true);
}

static void take_limits(struct ehlo *e, struct span rest)
{
	struct span word;

	while (span_word(&rest, " \t", &word)) {
		uint64_t n;

		if (word.n > 8 && span_iscase((struct span){word.p, 8}, "RCPTMAX=") &&
		    text_u64((struct span){word.p + 8, word.n - 8}, 1000000, &n))
			e->rcpt_max = (unsigned)n;
	}
}

static const struct keyword {
	const char *name;
	ptrdiff_t flag;
	void (*take)(struct ehlo *e, struct span rest);
} keywords[] = {
	{"PIPELINING", offsetof(struct ehlo, pipelining), NULL},
	{"CHUNKING", offsetof(struct ehlo, chunking), NULL},
	{"8BITMIME", offsetof(struct ehlo, eightbit), NULL},
	{"SMTPUTF8", offsetof(struct ehlo, smtputf8), NULL},
	{"DSN", offsetof(struct ehlo, dsn), NULL},
	{"STARTTLS", offsetof(struct ehlo, starttls), NULL},
	{"SIZE", -1, take_size},
	{"AUTH", -1, take_auth},
	{"LIMITS", -1, take_limits},
};

static void take_keyword(struct ehlo *e, struct span line)
{
	struct span word;

	if (!span_word(&line, " \t=", &word))
		return;
	add_word(e->words, sizeof(e->words), word, true);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!span_iscase(word, keywords[i].name))
			continue;
		if (keywords[i].take)
			keywords[i].take(e, line);
		else
			*((bool *)e + keywords[i].flag) = true;
	}
}

void ehlo_parse(const struct reply *r, struct ehlo *e)
{
	struct span line;
	size_t at = 0;

	memset(e, 0, sizeof(*e));
	if (!reply_line(r, &at, &line))
		return;
	while (reply_line(r, &at, &line))
		take_keyword(e, line);
}

uint32_t ehlo_hash(const struct ehlo *e)
{
	uint32_t h = 2166136261u;	/* FNV-1a */

	for (const char *p = e->words; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h ? h : 1;
}
