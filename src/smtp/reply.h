/*
 * reply.h: what the relay answers (RFC 5321 4.2), parsed strictly and within bounds. Pure.
 *
 * A reply is lines of three digits, '-' (more follow) or blank (the last), and text; a line may also be
 * three digits alone. CR LF or LF ends a line. One code per reply. NUL, a code outside 200-599, a line over
 * LIMIT_REPLY_LINE, a reply over LIMIT_REPLY: nonsense, after which nothing that follows can be trusted.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/text/text.h"

struct reply {
	int code;		/* 200-599 */
	char dsn[12];		/* enhanced status of the first line if its class agrees with the code, else empty */
	struct buf text;	/* whole lines, codes included, without line ends, joined by '\n' */
	const char *wrong;	/* after -1: what was wrong with it */
	bool begun;		/* a line was taken: the reply is half there */
};

void reply_init(struct reply *r);
void reply_free(struct reply *r);

/* Takes whole lines off the front of in, until one reply is complete. 1: complete; 0: more bytes are
 * needed; -1: nonsense. *used is how many bytes were taken. The first call after a complete reply
 * begins the next. */
int reply_take(struct reply *r, struct span in, size_t *used);

/* The next line's words (behind code and '-' or blank). Start with *at = 0. */
bool reply_line(const struct reply *r, size_t *at, struct span *words);

/* All lines in one, codes included, printable, cut to fit: how logs and verdicts quote it. Returns out. */
const char *reply_quote(const struct reply *r, char *out, size_t size);

bool reply_ok(const struct reply *r);		/* 2xx */

#endif
