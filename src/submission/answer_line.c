#include "config.h"
#include "submission/submission.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *dsn_for(int code)
{
	if (code == 0)
		return "2.0.0";
	return code == EX_TEMPFAIL || code == EX_IOERR || code == EX_OSERR ? "4.3.0" : "5.3.0";
}

int submission_put_answer(struct buf *out, int code, const char *dsn, const char *text)
{
	buf_addf(out, "%d %s ", code, dsn && *dsn ? dsn : dsn_for(code));
	text_printable(out, text, strlen(text), sizeof(((struct error *)0)->text) - 1);
	return buf_addc(out, '\n');
}

/* "2.1.0": a class that fits no code is let through, a word that is no status code is not. */
static bool is_dsn(struct span s)
{
	struct span part;
	uint64_t v;
	int parts = 0;

	if (!s.n || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	while (span_word(&s, ".", &part)) {
		if (!text_u64(part, parts ? 999 : 5, &v))
			return false;
		parts++;
	}
	return parts == 3;
}

int submission_get_answer(const char *line, size_t n, struct error *answer)
{
	struct span rest = {line, n}, code, dsn;
	uint64_t v;

	if (memchr(line, '\0', n) || !span_word(&rest, " ", &code) || !text_u64(code, 255, &v))
		return -1;
	if (!span_word(&rest, " ", &dsn) || dsn.n >= sizeof(answer->dsn) || !is_dsn(dsn) || !rest.n)
		return -1;
	answer->code = (int)v;
	snprintf(answer->dsn, sizeof(answer->dsn), "%.*s", (int)dsn.n, dsn.p);
	rest = span_trim(rest);
	snprintf(answer->text, sizeof(answer->text), "%.*s", (int)rest.n, rest.p);
	text_clean(answer->text);
	return 0;
}
