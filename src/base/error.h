/*
 * error.h: errors as one small value.
 *
 * A function that can fail takes a `struct error *` last, returns 0 on success and -1 after it has filled the value;
 * on success the value is left alone. Nobody logs on the way: whoever gives up logs, once. The reason decides the exit
 * status and the enhanced status code (see reason.h); the text says what happened in this case.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/reason.h"

struct error {
	enum reason reason;	/* REASON_NONE: no error */
	char text[500];		/* one printable line, no final newline or full stop */
};

/* Fills e, cutting the text at its ceiling; control bytes become '?'. Returns -1. */
int error_set(struct error *e, enum reason reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, followed by ": " and the words of errno. */
int error_sys(struct error *e, enum reason reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts words before the text that is there: "while doing x: ". Returns -1. */
int error_prefix(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The exit status, of sysexits(3); 0 where there is no error. */
int error_exit(const struct error *e);
/* The enhanced status code, of RFC 3463; "" where there is no error. */
const char *error_dsn(const struct error *e);

#endif
