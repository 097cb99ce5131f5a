/*
 * recode.h: a message made 7-bit for a relay without 8BITMIME (RFC 2045): parts with an identity encoding become
 * quoted-printable, their Content-Transfer-Encoding says so, and header text becomes RFC 2047 words; what is signed
 * stays as it is. Streaming, in constant memory: canonical LF form in (header and body, from the first byte), canonical
 * LF form out.
 */
#ifndef MAIL_RECODE_H
#define MAIL_RECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct recode;

/* Whether this header (raw, LF form) is of a message that must not be changed, since a signature covers all of it: the
 * caller then has to refuse (5.6.3) instead. What is signed deeper inside is found by recode_add only:
 * recode_broken. */
bool recode_forbidden(const char *header, size_t n);

/* NULL without memory. */
struct recode *recode_new(void);
void recode_free(struct recode *r);

/* Appends the 7-bit form of n bytes to out; any cut of the input gives the same output. -1 without memory. */
int recode_add(struct recode *r, struct buf *out, const char *p, size_t n);
/* Whether an 8-bit byte came by that has no 7-bit form: in a signed part, a message/partial, an unknown encoding; or a
 * header larger than its ceiling. What was appended to out is then no longer that message, and may not be delivered
 * (5.6.3). */
bool recode_broken(const struct recode *r);
/* What is still held back, and the last line end. */
int recode_end(struct recode *r, struct buf *out);

#endif
