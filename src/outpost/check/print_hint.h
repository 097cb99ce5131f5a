/* print_hint.h: what a person can do about a reason. */
#ifndef OUTPOST_CHECK_HINT_H
#define OUTPOST_CHECK_HINT_H

#include <stdio.h>

#include "base/reason.h"
#include "nexthop/nexthop.h"
#include "queue/queue.h"

enum { HINT_SIZE = 4096 };

/* The reason's hint: lines to write or to do, without a final newline; "" where there is none. relay: whose host and
 * port stand in it, or NULL. name: the one in the relay's certificate, NULL or "" where it is not known. */
void hint_write(char out[HINT_SIZE], enum reason why, const struct relayhost *relay, const char *name);
/* What can be done about a relay that is down. */
void hint_of_relay(char out[HINT_SIZE], struct conf *conf, const struct queue_relay *r);

/* Prints each line: the first after `first`, those that follow after `further`. Lines are to be copied, so they are
 * never wrapped. */
void hint_print(FILE *to, const char *hint, const char *first, const char *further);

#endif
