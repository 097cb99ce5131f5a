#include "config.h"
#include "outpost/check/check_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text/text.h"
#include "outpost/check/print_hint.h"
#include "outpost/command.h"

enum { LABEL = 13, INDENT = 8, TEXT_MAX = 8192 };

static const struct {
	const char *word, *color;
} levels[] = {
	[REPORT_OK] = {"ok", "\033[32m"},
	[REPORT_NOTE] = {"note", "\033[36m"},
	[REPORT_WARN] = {"warn", "\033[33m"},
	[REPORT_FAIL] = {"FAIL", "\033[1;31m"},
};

void report_init(struct report *r, bool json)
{
	*r = (struct report){.json = json, .color = !json && term_color(), .section = ""};
}

void report_section(struct report *r, const char *section, const char *title)
{
	r->section = section;
	if (!r->json)
		term_print("%s\n", title);
}

static void print_text(const struct report *r, enum report_level level, const char *label, int64_t ms,
		       const char *text, const char *hint)
{
	char time[40] = "";
	int margin;

	if (ms >= 0)
		snprintf(time, sizeof(time), "%5lld ms  ", (long long)ms);
	printf("  %s%-4s%s  ", r->color ? levels[level].color : "", levels[level].word, r->color ? "\033[0m" : "");
	margin = INDENT + printf("%-*s %s", LABEL, label, time);
	if (strlen(label) > LABEL && *text) {
		margin = INDENT + LABEL + 1;
		printf("\n%*s", margin, "");
	}
	words_wrap(text, (size_t)margin, (size_t)margin);
	hint_print(stdout, hint ? hint : "", "        -->  ", "             ");
	fflush(stdout);
}

static void print_json(const struct report *r, enum report_level level, enum reason why, const char *label, int64_t ms,
		       const char *text, const char *hint)
{
	struct buf b;

	buf_init(&b, TEXT_MAX * 8);
	buf_addf(&b, "{\"section\": \"%s\"", r->section);
	text_json_member(&b, "step", label);
	buf_addf(&b, ", \"result\": \"%s\"", level == REPORT_FAIL ? "fail" : levels[level].word);
	if (ms >= 0)
		buf_addf(&b, ", \"ms\": %lld", (long long)ms);
	if (why)
		text_json_member(&b, "reason", reason_name(why));
	text_json_member(&b, "text", text);
	if (hint && *hint)
		text_json_member(&b, "hint", hint);
	buf_adds(&b, "}\n");
	fwrite(buf_str(&b), 1, b.len, stdout);
	fflush(stdout);
	buf_free(&b);
}

static void report(struct report *r, enum report_level level, enum reason why, const char *label, int64_t ms,
		   const char *text, const char *hint)
{
	if (level == REPORT_FAIL && r->code == 0)
		r->code = why ? reason_exit(why) : EX_SOFTWARE;
	r->warnings += level == REPORT_WARN;
	r->failures += level == REPORT_FAIL;
	if (r->json)
		print_json(r, level, why, label, ms, text, hint);
	else
		print_text(r, level, label, ms, text, hint);
}

void report_line(struct report *r, enum report_level level, const char *label, int64_t ms, const char *text,
		 const char *hint)
{
	report(r, level, REASON_NONE, label, ms, text, hint);
}

void report_fail(struct report *r, enum reason why, const char *label, int64_t ms, const char *text, const char *hint)
{
	report(r, REPORT_FAIL, why, label, ms, text, hint);
}

void report_reason(struct report *r, enum report_level level, enum reason why, const struct relayhost *relay,
		   const char *name, const char *label, int64_t ms, const char *text)
{
	char hint[HINT_SIZE];

	hint_write(hint, why, relay, name);
	report(r, level, why, label, ms, text, hint);
}

void report_linef(struct report *r, enum report_level level, const char *label, const char *hint, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_line(r, level, label, -1, text, hint);
}

void report_failf(struct report *r, enum reason why, const char *label, const char *hint, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_fail(r, why, label, -1, text, hint);
}
