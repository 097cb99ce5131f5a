/* xtext.h: RFC 3461 4: "+41" for bytes that can't stand in a parameter. */
#ifndef SENDMAIL_XTEXT_H
#define SENDMAIL_XTEXT_H

#include "base/buf.h"
#include "base/text/text.h"

/* Appends what is meant; -1 for malformed xtext, control bytes, or no room. */
int xtext_decode(struct span text, struct buf *out);

#endif
