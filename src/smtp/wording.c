#include "config.h"
#include "smtp/wording.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "delivery/words.h"

/* Words of one kind, separated by '|'. */
static const struct {
	enum wording kind;
	const char *words;
} table[] = {
	{WORDS_SPENT,
	 "rate limit|ratelimit|rate-limit|sending rate|sending limit|sending quota|send limit|"
	 "submission limit|submission quota|submissionquota|relay limit|daily limit|hourly limit|"
	 "daily user sending|emails per hour|emails per day|messages per hour|messages per day|"
	 "exceeded threshold|unusual sending activity|too many messages|too many emails|"
	 "too many mails|throttl|sender quota|failures per hour"},
	{WORDS_SPENT, DELIVERY_SENDING_STOPPED},
	{WORDS_ACCOUNT, DELIVERY_ACCOUNT_CLOSED},
	{WORDS_FAST,
	 "too many connections|concurrent connections|too fast|slow down|server busy|rate exceeded|"
	 "temporarily rate|quota exceeded|limit exceeded|exceeded the limit|too many recipients from|"
	 "too much mail from"},
	{WORDS_MAILBOX, "mailbox|over quota|user quota|disk quota"},
	{WORDS_GREYLIST, "greylist|graylist|grey-list|gray-list"},
	{WORDS_LOGIN,
	 "authentication required|authentication is required|requires authentication|"
	 "not authenticated|must authenticate|must be authenticated|please authenticate|"
	 "turn on smtp authentication|auth first"},
	{WORDS_CONNECTION, "this connection|per connection|this session|per session|idle|timeout|timed out|time-out"},
	{WORDS_RECIPIENTS, "too many recipients"},
	{WORDS_ADDRESS, "address rejected"},
	{WORDS_ERRORS, "too many errors"},
};

/* What stands in angle brackets on one line. */
static void blank_brackets(char *text)
{
	for (char *p = text; (p = strchr(p, '<')); p++) {
		size_t n = strcspn(p, ">\n");

		if (p[n] == '>')
			memset(p, ' ', n);
	}
}

/* A word with an @ in it. */
static void blank_addresses(char *text)
{
	for (size_t n; *text; text += n) {
		text += strspn(text, " \n");
		n = strcspn(text, " \n");
		if (memchr(text, '@', n))
			memset(text, ' ', n);
	}
}

void wording_text(const struct reply *r, char out[WORDING_TEXT])
{
	snprintf(out, WORDING_TEXT, "%s", buf_str(&r->text));
	blank_brackets(out);
	blank_addresses(out);
}

bool wording_says(const struct reply *r, unsigned kinds)
{
	char text[WORDING_TEXT];

	wording_text(r, text);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((table[i].kind & kinds) && text_has_word(text, table[i].words))
			return true;
	return false;
}
