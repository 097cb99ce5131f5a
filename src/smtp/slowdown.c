#include "config.h"
#include "smtp/slowdown.h"

#include <string.h>

static const char *const wordings[] = {
	"rate limit", "ratelimit", "rate-limit", "rate exceeded", "sending rate", "too many messages", "too many connections",
	"too many emails", "too many mails", "too fast", "slow down", "throttl", "quota exceeded", "sending quota",
	"sending limit", "daily limit", "hourly limit", "submission limit", "exceeded the limit", "server busy",
	"concurrent connections", "temporarily rate", "limit exceeded",
};
/* What hosters and providers say with 5xx when the account has sent enough for today; nothing is wrong with the message. */
static const char *const limits[] = {
	"sending limit", "sending quota", "sending rate", "send limit", "submission limit", "submission quota", "submissionquota",
	"rate limit", "ratelimit", "rate-limit", "relay limit", "daily limit", "hourly limit", "daily user sending",
	"emails per hour", "emails per day", "messages per hour", "messages per day", "exceeded threshold",
	"unusual sending activity", "too many messages", "too many emails", "too many mails", "throttl",
};
static const char *const mailbox[] = {"mailbox", "over quota", "user quota", "disk quota"};
static const char *const greylist[] = {"greylist", "graylist", "grey-list", "gray-list"};

/* Finds a word without regard to case; the position behind it, or NULL. */
static const char *find(const char *text, const char *word)
{
	for (size_t n = strlen(word); *text; text++)
		if (ascii_case_prefix(text, word))
			return text + n;
	return NULL;
}

static bool says(const struct reply *r, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (find(buf_str(&r->text), words[i]))
			return true;
	return false;
}

#define SAYS(r, list) says(r, list, sizeof(list) / sizeof(list[0]))

/* A recipient's mailbox is full, or gets too much: that is between him and the relay. */
static bool of_mailbox(const struct reply *r, enum slowdown_stage stage)
{
	if (stage == SLOWDOWN_SESSION)
		return false;
	if (strncmp(r->dsn, "4.2.", 4) == 0)
		return true;
	if (stage != SLOWDOWN_RECIPIENT)
		return false;
	return strncmp(r->dsn, "5.2.", 4) == 0 || (!r->dsn[0] && SAYS(r, mailbox));
}

bool slowdown_limit(const struct reply *r, enum slowdown_stage stage)
{
	return r->code >= 550 && r->code <= 554 && !of_mailbox(r, stage) && SAYS(r, limits);
}

bool slowdown_asked(const struct reply *r, enum slowdown_stage stage)
{
	if (slowdown_limit(r, stage))
		return true;
	switch (r->code) {
	case 421:
	case 432:
		return true;
	case 450:
	case 451:
	case 452:
	case 454:
		if (SAYS(r, greylist) || of_mailbox(r, stage))
			return false;
		if (SAYS(r, wordings))
			return true;
		return stage != SLOWDOWN_RECIPIENT && r->code != 452 && strncmp(r->dsn, "4.7.", 4) == 0;
	default:
		return false;
	}
}

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

uint32_t slowdown_seconds(const struct reply *r)
{
	static const char *const before[] = {"again in", "again after", "retry in", "retry after", "wait for", "wait", "after", "in"};

	if (r->code / 100 != 4)
		return 0;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		const char *p = buf_str(&r->text);

		while ((p = find(p, before[i]))) {
			uint32_t n = time_at(p);

			if (n)
				return n;
		}
	}
	return 0;
}
