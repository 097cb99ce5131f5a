/* explain.h: from what a relay, a certificate or a resolver said to what a person can do about it. */
#ifndef OUTPOST_EXPLAIN_H
#define OUTPOST_EXPLAIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/reason.h"
#include "delivery/delivery.h"
#include "nexthop/relayhost.h"

/* Appends the mend for these words: lines to write or to do, without a final newline. kind is one of
 * delivery_down_kind, or 0 for a refusal of one message. False and nothing appended when we know none. */
bool explain(struct buf *mend, int kind, const char *text, const struct relayhost *relay);

/* The delivery_down_kind of a relay's reason; 0 for others. */
int explain_kind(enum reason reason);

#endif
