#include "config.h"
#include "smtp/wording.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	enum wording kind;
} words[] = {
	{"rate limit", WORDS_SPENT},
	{"ratelimit", WORDS_SPENT},
	{"rate-limit", WORDS_SPENT},
	{"sending rate", WORDS_SPENT},
	{"sending limit", WORDS_SPENT},
	{"sending quota", WORDS_SPENT},
	{"send limit", WORDS_SPENT},
	{"submission limit", WORDS_SPENT},
	{"submission quota", WORDS_SPENT},
	{"submissionquota", WORDS_SPENT},
	{"relay limit", WORDS_SPENT},
	{"daily limit", WORDS_SPENT},
	{"hourly limit", WORDS_SPENT},
	{"daily user sending", WORDS_SPENT},
	{"emails per hour", WORDS_SPENT},
	{"emails per day", WORDS_SPENT},
	{"messages per hour", WORDS_SPENT},
	{"messages per day", WORDS_SPENT},
	{"exceeded threshold", WORDS_SPENT},
	{"unusual sending activity", WORDS_SPENT},
	{"too many messages", WORDS_SPENT},
	{"too many emails", WORDS_SPENT},
	{"too many mails", WORDS_SPENT},
	{"throttl", WORDS_SPENT},
	{"sender quota", WORDS_SPENT},
	{"failures per hour", WORDS_SPENT},
	{"outgoing mail from", WORDS_SPENT},
	{"outgoing blocked", WORDS_SPENT},
	{"bad outbound sender", WORDS_SPENT},
	{"sending paused", WORDS_SPENT},
	{"sending suspended", WORDS_SPENT},
	{"account suspended", WORDS_ACCOUNT},
	{"account is suspended", WORDS_ACCOUNT},
	{"account has been suspended", WORDS_ACCOUNT},
	{"account disabled", WORDS_ACCOUNT},
	{"account is disabled", WORDS_ACCOUNT},
	{"account has been disabled", WORDS_ACCOUNT},
	{"account is blocked", WORDS_ACCOUNT},
	{"account has been blocked", WORDS_ACCOUNT},
	{"too many connections", WORDS_FAST},
	{"concurrent connections", WORDS_FAST},
	{"too fast", WORDS_FAST},
	{"slow down", WORDS_FAST},
	{"server busy", WORDS_FAST},
	{"rate exceeded", WORDS_FAST},
	{"temporarily rate", WORDS_FAST},
	{"quota exceeded", WORDS_FAST},
	{"limit exceeded", WORDS_FAST},
	{"exceeded the limit", WORDS_FAST},
	{"too many recipients from", WORDS_FAST},
	{"too much mail from", WORDS_FAST},
	{"mailbox", WORDS_MAILBOX},
	{"over quota", WORDS_MAILBOX},
	{"user quota", WORDS_MAILBOX},
	{"disk quota", WORDS_MAILBOX},
	{"greylist", WORDS_GREYLIST},
	{"graylist", WORDS_GREYLIST},
	{"grey-list", WORDS_GREYLIST},
	{"gray-list", WORDS_GREYLIST},
	{"authentication required", WORDS_LOGIN},
	{"authentication is required", WORDS_LOGIN},
	{"requires authentication", WORDS_LOGIN},
	{"not authenticated", WORDS_LOGIN},
	{"must authenticate", WORDS_LOGIN},
	{"must be authenticated", WORDS_LOGIN},
	{"please authenticate", WORDS_LOGIN},
	{"turn on smtp authentication", WORDS_LOGIN},
	{"auth first", WORDS_LOGIN},
	{"this connection", WORDS_CONNECTION},
	{"per connection", WORDS_CONNECTION},
	{"this session", WORDS_CONNECTION},
	{"per session", WORDS_CONNECTION},
	{"idle", WORDS_CONNECTION},
	{"timeout", WORDS_CONNECTION},
	{"timed out", WORDS_CONNECTION},
	{"time-out", WORDS_CONNECTION},
	{"too many recipients", WORDS_RECIPIENTS},
	{"address rejected", WORDS_ADDRESS},
	{"too many errors", WORDS_ERRORS},
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
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((words[i].kind & kinds) && strcasestr(text, words[i].word))
			return true;
	return false;
}
