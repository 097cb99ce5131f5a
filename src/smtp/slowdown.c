#include "config.h"
#include "smtp/slowdown.h"
#include "smtp/wording.h"

#include <string.h>

/* A recipient's mailbox is full, or gets too much: that is between him and the relay. */
static bool of_mailbox(const struct reply *r, enum slowdown_stage stage)
{
	if (stage == SLOWDOWN_SESSION)
		return false;
	if (strncmp(r->dsn, "4.2.", 4) == 0)
		return true;
	if (stage != SLOWDOWN_RECIPIENT)
		return false;
	return strncmp(r->dsn, "5.2.", 4) == 0 || (!r->dsn[0] && wording_says(r, WORDS_MAILBOX));
}

/* Our account is closed. A relay that asks the next one behind the message's end may pass on what that says of the
 * recipient's. */
static bool of_account(const struct reply *r, enum slowdown_stage stage)
{
	return stage == SLOWDOWN_MESSAGE && strncmp(r->dsn, "5.1.", 4) != 0 && strncmp(r->dsn, "5.2.", 4) != 0 &&
	       wording_says(r, WORDS_ACCOUNT);
}

bool slowdown_limit(const struct reply *r, enum slowdown_stage stage)
{
	return r->code >= 550 && r->code <= 554 && !of_mailbox(r, stage) &&
	       (wording_says(r, WORDS_SPENT) || of_account(r, stage));
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
		if (wording_says(r, WORDS_GREYLIST) || of_mailbox(r, stage))
			return false;
		if (wording_says(r, WORDS_FAST | WORDS_SPENT))
			return true;
		return stage != SLOWDOWN_RECIPIENT && r->code != 452 && strncmp(r->dsn, "4.7.", 4) == 0 &&
		       !wording_says(r, WORDS_ADDRESS);
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
	static const char *const before[] = {"again in", "again after", "retry in", "retry after",
					     "wait for", "wait",        "after",    "in"};
	char text[WORDING_TEXT];

	if (r->code / 100 != 4)
		return 0;
	wording_text(r, text);
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
