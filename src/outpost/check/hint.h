/* hint.h: what a person can do about a reason. */
#ifndef OUTPOST_CHECK_HINT_H
#define OUTPOST_CHECK_HINT_H

#include "base/buf.h"
#include "base/reason.h"
#include "nexthop/nexthop.h"

/* Appends the reason's hint: lines to write or to do, without a final newline; nothing where there is none. relay:
 * whose host and port stand in it, or NULL. name: the one in the relay's certificate, NULL or "" where it is not
 * known. */
void hint_add(struct buf *out, enum reason why, const struct relayhost *relay, const char *name);

#endif
