/*
 * judgereplies: what smtp/replies.def makes of replies. Standard input: a line each, "STAGE LOGIN REPLY", STAGE one of
 * greet ehlo starttls auth mail rcpt eod, LOGIN 1 or 0, line ends in the reply written as \n. Output: "fails|waits
 * CLASS REASON SECONDS".
 */
#include "config.h"
#include "smtp/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	enum reply_stage stage;
} stages[] = {{"greet", STAGE_GREETING}, {"ehlo", STAGE_HELO}, {"starttls", STAGE_STARTTLS}, {"auth", STAGE_LOGIN},
	      {"mail", STAGE_MAIL},	 {"rcpt", STAGE_RCPT}, {"eod", STAGE_DATA}};

static enum reply_stage stage_of(const char *word)
{
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (strcmp(stages[i].word, word) == 0)
			return stages[i].stage;
	fprintf(stderr, "unknown stage %s\n", word);
	exit(2);
}

static void judge(enum reply_stage stage, bool logged_in, char *text)
{
	struct reply r;
	struct buf wire;
	size_t used;
	enum reason why;

	buf_init(&wire, 1 << 16);
	for (; *text; text++)
		if (text[0] == '\\' && text[1] == 'n') {
			buf_adds(&wire, "\r\n");
			text++;
		} else if (*text != '\n') {
			buf_addc(&wire, *text);
		}
	buf_adds(&wire, "\r\n");
	reply_init(&r);
	if (reply_take(&r, (struct span){buf_str(&wire), wire.len}, &used) != 1) {
		printf("nonsense\n");
	} else {
		why = reply_reason(&r, stage, logged_in);
		printf("%s %s %s %u\n", reply_fails(&r, why) ? "fails" : "waits", reason_class_name(reason_class(why)),
		       reason_name(why), reply_seconds(&r));
	}
	reply_free(&r);
	buf_free(&wire);
}

int main(void)
{
	static char line[1 << 15];
	char stage[16];
	int login, at;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %d %n", stage, &login, &at) != 2)
			return 2;
		judge(stage_of(stage), login, line + at);
	}
	return 0;
}
