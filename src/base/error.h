/*
 * error.h: errors as one small value.
 *
 * A function that can fail takes a `struct error *` last, returns 0 on success and -1 after it
 * has filled the value; on success the value is left alone. Nobody logs on the way: whoever
 * gives up logs, once. The code is one of sysexits(3), so that it can become the exit status;
 * the dsn is an enhanced status code (RFC 3463) where the failure concerns a message.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <sysexits.h>

struct error {
	int code;	/* sysexits(3); 0: no error */
	char dsn[12];	/* "4.3.0", or empty */
	char text[500];	/* one printable line, no final newline or full stop */
};

/* Fills e, cutting the text at its ceiling; control bytes become '?'. dsn may be NULL. Returns -1. */
int error_set(struct error *e, int code, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, with ": " and the words of errno behind it. */
int error_sys(struct error *e, int code, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts more words in front: "while doing x: " before the text that is there. Returns -1. */
int error_prefix(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
