/*
 * recode.h: a message made 7-bit for a relay without 8BITMIME (RFC 2045): parts with an identity encoding become
 * quoted-printable, their Content-Transfer-Encoding says so, and header text becomes RFC 2047 words. Streaming, in constant
 * memory: canonical LF form in (header and body, from the first byte), canonical LF form out.
 */
#ifndef MAIL_RECODE_H
#define MAIL_RECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct recode;

/* Whether this header (raw, LF form) is of a message that must not be changed, since a signature covers it: the caller
 * then has to refuse (5.6.3) instead. Signed parts deeper inside are found by recode_add only: they are changed. */
bool recode_forbidden(const char *header, size_t n);

/* NULL without memory. */
struct recode *recode_new(void);
void recode_free(struct recode *r);

/* Appends the 7-bit form of n bytes to out; any cut of the input gives the same output. -1 without memory. */
int recode_add(struct recode *r, struct buf *out, const char *p, size_t n);
/* What is still held back, and the last line end. */
int recode_end(struct recode *r, struct buf *out);

#endif
