#include "config.h"
#include "smtp/replies.h"

#include <stdio.h>
#include <string.h>

#include "base/text/text.h"

enum { REPLY_TEXT = 4096 };

#define BIT(number) (UINT64_C(1) << (number))

enum group_number {
#define WORDS(group, words) NUMBER_##group,
#define REPLY(stages, codes, dsn, all, any, none, why)
#include "smtp/replies.def"
#undef WORDS
#undef REPLY
	NUMBER_ECHOED,		/* a mail address stands in the reply */
	NUMBER_IP_ECHOED,	/* an IP address does */
	NUMBER_LOGGED_IN,
};

static const char *const group_words[] = {
#define WORDS(group, words) [NUMBER_##group] = words,
#define REPLY(stages, codes, dsn, all, any, none, why)
#include "smtp/replies.def"
#undef WORDS
#undef REPLY
};

enum { GROUPS = sizeof(group_words) / sizeof(group_words[0]) };

/* ---- the text without what users choose, and what stood there in their place, as bits */

static uint64_t blank_brackets(char *text)
{
	uint64_t seen = 0;

	for (char *p = text; (p = strchr(p, '<')); p++) {
		size_t n = strcspn(p, ">\n");

		if (p[n] != '>')
			continue;
		if (memchr(p, '@', n))
			seen = BIT(NUMBER_ECHOED);
		memset(p, ' ', n);
	}
	return seen;
}

/* "mx.example.com", "192.0.2.1": a dot inside, and no capital, which begins a sentence whose blank was forgotten. */
static bool is_host_name(const char *word, size_t n)
{
	bool dot = false;

	for (size_t i = 0; i < n; i++) {
		if (word[i] >= 'A' && word[i] <= 'Z')
			return false;
		if (word[i] == '.' && i && i + 1 < n && word[i + 1] != '.')
			dot = true;
	}
	return dot;
}

/* "[192.0.2.1]:25", "IP=192.0.2.1" */
static bool holds_ip_address(const char *word, size_t n)
{
	int dots = 0;

	for (size_t i = 1; i + 1 < n; i++) {
		if (word[i] == '.' && ascii_digit(word[i - 1]) && ascii_digit(word[i + 1])) {
			if (++dots == 3)
				return true;
		} else if (!ascii_digit(word[i])) {
			dots = 0;
		}
	}
	return false;
}

static uint64_t blank_words(char *text)
{
	uint64_t seen = 0;

	for (size_t n; *text; text += n) {
		text += strspn(text, " \n");
		n = strcspn(text, " \n");
		if (memchr(text, '@', n))
			seen |= BIT(NUMBER_ECHOED);
		else if (holds_ip_address(text, n))
			seen |= BIT(NUMBER_IP_ECHOED);
		else if (!is_host_name(text, n) && !memmem(text, n, "://", 3))
			continue;
		memset(text, ' ', n);
	}
	return seen;
}

/* The beginning of the reply's text, without codes, addresses, host names and URLs. */
static uint64_t plain_text(const struct reply *r, char out[REPLY_TEXT])
{
	struct span line;
	size_t at = 0, n = 0;

	out[0] = '\0';
	while (n < REPLY_TEXT - 2 && reply_line(r, &at, &line)) {
		size_t len = line.n < REPLY_TEXT - n - 2 ? line.n : REPLY_TEXT - n - 2;

		n += (size_t)snprintf(out + n, REPLY_TEXT - n, "%.*s\n", (int)len, line.p);
	}
	return blank_brackets(out) | blank_words(out);
}

/* ---- which groups its words belong to */

static bool is_letter(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '\'' || (unsigned char)c > 127;
}

static bool in_group(const char *words, struct span word)
{
	struct span rest = span_of(words), w;

	while (span_word(&rest, " ", &w)) {
		bool beginning = w.p[w.n - 1] == '*';
		size_t n = beginning ? w.n - 1 : w.n;
		size_t i = 0;

		if (word.n < n || (word.n > n && !beginning))
			continue;
		while (i < n && ascii_lower(word.p[i]) == w.p[i])
			i++;
		if (i == n)
			return true;
	}
	return false;
}

/* The next word, which ends where a capital follows a small letter ("SubmissionQuota" is two), and before the s of a
 * genitive. */
static bool next_word(const char **p, struct span *word)
{
	const char *s = *p;

	while (*s && !is_letter(*s))
		s++;
	word->p = s;
	while (is_letter(*s)) {
		s++;
		if ((*s >= 'A' && *s <= 'Z' && s[-1] >= 'a' && s[-1] <= 'z') || (*s == '\'' && s[1] == 's'))
			break;
	}
	word->n = (size_t)(s - word->p);
	*p = s;
	return word->n > 0;
}

static uint64_t groups_of(const struct reply *r, bool logged_in)
{
	char text[REPLY_TEXT];
	uint64_t groups = plain_text(r, text) | (logged_in ? BIT(NUMBER_LOGGED_IN) : 0);
	const char *p = text;
	struct span word;

	while (next_word(&p, &word))
		for (int i = 0; i < GROUPS; i++)
			if (in_group(group_words[i], word))
				groups |= BIT(i);
	if ((groups & BIT(NUMBER_NOT)) && (groups & BIT(NUMBER_ALLOW)))
		groups |= BIT(NUMBER_DENIED);
	return groups;
}

/* ---- rows */

struct said {
	int code;
	const char *dsn;
	enum reply_stage stage;
	uint64_t groups;
};

static bool code_fits(const char *codes, int code)
{
	struct span rest = span_of(codes), want;
	char digits[12];

	snprintf(digits, sizeof(digits), "%03d", code);
	while (span_word(&rest, " ", &want))
		if (strncmp(digits, want.p, want.n) == 0)
			return true;
	return false;
}

/* "5.7.60", "x.1.1", "x.2.*": compared as a whole, but for the class and the detail where they are left open. */
static bool dsn_fits(const char *dsns, const char *dsn)
{
	struct span rest = span_of(dsns), want;

	if (!*dsns)
		return true;
	while (*dsn && span_word(&rest, " ", &want)) {
		if (want.p[0] != 'x' && want.p[0] != *dsn)
			continue;
		if (want.p[want.n - 1] == '*' ? strncmp(want.p + 1, dsn + 1, want.n - 2) == 0
					      : span_is((struct span){want.p + 1, want.n - 1}, dsn + 1))
			return true;
	}
	return false;
}

static bool fits(const struct said *s, unsigned stages, const char *codes, const char *dsns, uint64_t all, uint64_t any,
		 uint64_t none)
{
	return (s->stage & stages) && (s->groups & all) == all && (!any || (s->groups & any)) && !(s->groups & none) &&
	       code_fits(codes, s->code) && dsn_fits(dsns, s->dsn);
}

/* The names by which rows speak of stages and groups. */
enum { GREETING = STAGE_GREETING, EHLO = STAGE_HELO, STARTTLS = STAGE_STARTTLS, AUTH = STAGE_LOGIN, MAIL = STAGE_MAIL,
      RCPT = STAGE_RCPT,
       DATA = STAGE_DATA, SESSION = GREETING | EHLO | STARTTLS, MESSAGES = MAIL | RCPT | DATA };

static enum reason find_row(const struct said *s)
{
	const uint64_t ANY = 0, ECHOED = BIT(NUMBER_ECHOED), IP_ECHOED = BIT(NUMBER_IP_ECHOED),
		       LOGGED_IN = BIT(NUMBER_LOGGED_IN);

#define WORDS(group, words) const uint64_t group = BIT(NUMBER_##group);
#define REPLY(stages, codes, dsns, all, any, none, why) \
	if (fits(s, stages, codes, dsns, all, any, none)) \
		return REASON_##why;
#include "smtp/replies.def"
#undef WORDS
#undef REPLY
	return REASON_NONE;
}

enum reason reply_reason(const struct reply *r, enum reply_stage stage, bool logged_in)
{
	struct said s = {.code = r->code, .dsn = r->dsn, .stage = stage};

	if (r->code < 400)
		return REASON_NONE;
	s.groups = groups_of(r, logged_in);
	return find_row(&s);
}

bool reply_fails(const struct reply *r, enum reason why)
{
	enum reason_class c = reason_class(why);

	if (why == REASON_SENDER_REFUSED || why == REASON_SENDER_UNVERIFIED || why == REASON_UNCLEAR_REFUSAL)
		return false;
	return r->code / 100 == 5 && (c == CLASS_RECIPIENT || c == CLASS_MESSAGE);
}

/* ---- when the relay wants to hear from us again */

static const struct {
	const char *name;
	uint32_t seconds;
} units[] = {{"sec", 1}, {"min", 60}, {"hour", 3600}, {"s", 1}, {"m", 60}, {"h", 3600}};

/* A number and its unit at p ("60 seconds", "5 min"); without a unit it is no time. */
static uint32_t time_at(const char *p)
{
	uint32_t n = 0;

	while (*p == ' ')
		p++;
	if (!ascii_digit(*p))
		return 0;
	for (; ascii_digit(*p); p++)
		n = n < 1000000 ? n * 10 + (uint32_t)(*p - '0') : n;
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ascii_case_prefix(p, units[i].name))
			return n > 86400 / units[i].seconds ? 86400 : n * units[i].seconds;
	return 0;
}

uint32_t reply_seconds(const struct reply *r)
{
	static const char *const before[] = {"again in", "again after", "retry in", "retry after",
					     "wait for", "wait",        "after",    "in"};
	char text[REPLY_TEXT];

	if (r->code / 100 != 4)
		return 0;
	plain_text(r, text);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		const char *p = text;

		while ((p = strcasestr(p, before[i]))) {
			uint32_t n = time_at(p += strlen(before[i]));

			if (n)
				return n;
		}
	}
	return 0;
}
