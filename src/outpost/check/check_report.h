/* check_report.h: the lines of `outpost check` and `outpost test`: one finding each, as text or as JSON. */
#ifndef OUTPOST_CHECK_REPORT_H
#define OUTPOST_CHECK_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"
#include "nexthop/nexthop.h"

enum report_level { REPORT_OK, REPORT_NOTE, REPORT_WARN, REPORT_FAIL };

struct report {
	bool json, color;
	const char *section;
	unsigned warnings, failures;
	int code;		/* of the first failure */
};

void report_init(struct report *r, bool json);
/* A heading; in JSON it becomes the "section" of what follows. title must stay valid. */
void report_section(struct report *r, const char *section, const char *title);
/* label: the parameter or step. hint: what to write or to type, lines separated by newlines; NULL or "" for none.
 * ms < 0: no time. */
void report_line(struct report *r, enum report_level level, const char *label, int64_t ms, const char *text,
		 const char *hint);
/* The same for a failure and its reason: the exit status of the first is kept in r->code. */
void report_fail(struct report *r, enum reason why, const char *label, int64_t ms, const char *text, const char *hint);
/* What failed for this reason, with the hint that belongs to it (hint_write). */
void report_reason(struct report *r, enum report_level level, enum reason why, const struct relayhost *relay,
		   const char *name, const char *label, int64_t ms, const char *text);
void report_linef(struct report *r, enum report_level level, const char *label, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void report_failf(struct report *r, enum reason why, const char *label, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#endif
