#include "config.h"
#include "base/error.h"
#include "base/text/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_fill(struct error *e, enum reason reason, const char *fmt, va_list ap)
{
	e->reason = reason;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	text_clean(e->text);
}

int error_set(struct error *e, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_fill(e, reason, fmt, ap);
	va_end(ap);
	return -1;
}

int error_sys(struct error *e, enum reason reason, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	error_fill(e, reason, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(saved));
	return -1;
}

int error_prefix(struct error *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t n;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	text_clean(e->text);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	return -1;
}

int error_exit(const struct error *e)
{
	return reason_exit(e->reason);
}

const char *error_dsn(const struct error *e)
{
	return reason_dsn(e->reason);
}
