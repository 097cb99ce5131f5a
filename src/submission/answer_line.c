#include "config.h"
#include "submission/submission.h"

#include <stdio.h>
#include <string.h>

#include "base/text/text.h"

static const char accepted[] = "ok";

int submission_put_answer(struct buf *out, enum reason reason, const char *text)
{
	buf_addf(out, "%d %s %s ", reason_exit(reason), reason ? reason_dsn(reason) : "2.0.0",
		 reason ? reason_name(reason) : accepted);
	text_printable(out, text, strlen(text), sizeof(((struct error *)0)->text) - 1);
	return buf_addc(out, '\n');
}

/* "2.1.0": a class that fits no code is let through, a word that is no status code is not. */
static bool is_dsn(struct span s)
{
	struct span part;
	uint64_t v;
	int parts = 0;

	if (!s.n || s.n > sizeof("9.999.999") || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	while (span_word(&s, ".", &part)) {
		if (!text_u64(part, parts ? 999 : 5, &v))
			return false;
		parts++;
	}
	return parts == 3;
}

/* Takes the name of the reason off the text that begins with it. */
static enum reason take_reason(struct span *text, int code)
{
	struct span rest = *text, word;
	enum reason reason = REASON_NONE;
	char name[32] = "";

	if (span_word(&rest, " ", &word))
		span_copy(word, name, sizeof(name));
	if (code)
		reason = reason_find(name);
	if (reason || (!code && strcmp(name, accepted) == 0))
		*text = rest;
	return reason ? reason : reason_of_exit(code);
}

int submission_get_answer(const char *line, size_t n, struct error *answer)
{
	struct span rest = {line, n}, code, dsn;
	uint64_t v;

	if (memchr(line, '\0', n) || !span_word(&rest, " ", &code) || !text_u64(code, 255, &v))
		return -1;
	if (!span_word(&rest, " ", &dsn) || !is_dsn(dsn) || !rest.n)
		return -1;
	rest = span_trim(rest);
	answer->reason = take_reason(&rest, (int)v);
	rest = span_trim(rest);
	snprintf(answer->text, sizeof(answer->text), "%.*s", (int)rest.n, rest.p);
	text_clean(answer->text);
	return 0;
}

bool submission_queued_id(struct span text, char *id, size_t size)
{
	size_t n = 0;

	if (!span_take(&text, SUBMISSION_QUEUED))
		return false;
	while (n < text.n && n + 1 < size && (ascii_digit(text.p[n]) || (text.p[n] >= 'A' && text.p[n] <= 'Z')))
		n++;
	snprintf(id, size, "%.*s", n == text.n ? (int)n : 0, text.p);
	return true;
}
