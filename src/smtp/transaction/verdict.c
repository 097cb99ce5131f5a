#include "config.h"
#include "smtp/transaction/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum delivery_fate fate_of(const struct reply *r, enum reason why)
{
	return reply_ok(r) ? FATE_SENT : reply_fails(r, why) ? FATE_FAILED : FATE_DEFERRED;
}

void verdict_of_reply(const struct agent *a, enum reply_stage stage, const char *what, struct delivery_verdict *v)
{
	const struct reply *r = &a->reply;
	enum reason why = reply_reason(r, stage, a->authenticated);
	const char *dsn;

	memset(v, 0, sizeof(*v));
	v->reason = why;
	v->fate = fate_of(r, why);
	v->smtp_code = r->code;
	dsn = r->dsn[0] && reason_class(why) != CLASS_LOGIN ? r->dsn : why ? reason_dsn(why) : "2.0.0";
	snprintf(v->dsn, sizeof(v->dsn), "%c%s", v->fate == FATE_SENT ? '2' : v->fate == FATE_DEFERRED ? '4' : '5',
		 dsn + 1);
	if (v->fate == FATE_SENT)
		reply_quote(r, v->text, sizeof(v->text));
	else
		agent_say_refusal(a, what, v->text, sizeof(v->text));
}

void verdict_of_words(struct delivery_verdict *v, enum reason why, const char *fmt, ...)
{
	const char *dsn = reason_dsn(why);
	va_list ap;

	memset(v, 0, sizeof(*v));
	v->reason = why;
	v->fate = dsn[0] == '4' ? FATE_DEFERRED : FATE_FAILED;
	snprintf(v->dsn, sizeof(v->dsn), "%s", dsn);
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
	text_clean(v->text);
}
