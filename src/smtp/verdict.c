#include "config.h"
#include "smtp/verdict.h"
#include "smtp/wording.h"
#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum delivery_fate fate_of(char class)
{
	return class == '2' ? FATE_SENT : class == '4' ? FATE_DEFERRED : FATE_FAILED;
}

void verdict_of_reply(const struct agent *a, enum slowdown_stage stage, const char *what, struct delivery_verdict *v)
{
	const struct reply *r = &a->reply;
	bool login = verdict_wants_login(a), ours = login || slowdown_limit(r, stage);
	char class = (char)('0' + r->code / 100);
	struct buf words;

	memset(v, 0, sizeof(*v));
	v->fate = ours ? FATE_DEFERRED : fate_of(class);
	v->smtp_code = r->code;
	if (login || (ours && !r->dsn[0]))
		snprintf(v->dsn, sizeof(v->dsn), "4.7.0");
	else if (ours)
		snprintf(v->dsn, sizeof(v->dsn), "4%s", r->dsn + 1);
	else if (r->dsn[0])
		snprintf(v->dsn, sizeof(v->dsn), "%s", r->dsn);
	else
		snprintf(v->dsn, sizeof(v->dsn), "%c.0.0", class);
	buf_init(&words, LIMIT_REPLY_TEXT);
	reply_quote(r, &words, 1400);
	if (v->fate == FATE_SENT)
		snprintf(v->text, sizeof(v->text), "%s", buf_str(&words));
	else
		snprintf(v->text, sizeof(v->text), "host %s said: %s (in reply to %s)", agent_peer(a), buf_str(&words),
			 what);
	buf_free(&words);
}

void verdict_of_words(struct delivery_verdict *v, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	memset(v, 0, sizeof(*v));
	v->fate = fate_of(dsn[0]);
	snprintf(v->dsn, sizeof(v->dsn), "%s", dsn);
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
	text_clean(v->text);
}

bool verdict_is_login(const struct reply *r)
{
	switch (r->code) {
	case 530:
	case 534:
	case 535:
	case 538:
		return true;
	case 550:
		return strcmp(r->dsn, "5.7.30") == 0;
	default:
		return false;
	}
}

bool verdict_wants_login(const struct agent *a)
{
	const struct reply *r = &a->reply;
	bool refused = r->code == 503 || (r->code >= 550 && r->code <= 554);

	return verdict_is_login(r) || (!a->authenticated && refused && wording_says(r, WORDS_LOGIN));
}
