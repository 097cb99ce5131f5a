/*
 * nexthop.h: from what the administrator wrote to what a delivery agent is told. The one place
 * where conf's parameters become a struct delivery_session, so that `outpost check` tries exactly what
 * outpostd does. This room stands between the rooms conf and delivery and the programs that start
 * agents (outpostd, outpost); it includes both and nothing else does.
 */
#ifndef NEXTHOP_NEXTHOP_H
#define NEXTHOP_NEXTHOP_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "conf/conf.h"
#include "delivery/delivery.h"
#include "nexthop/relayhost.h"

/* Fills *s for this relay. What was said but could not be done (a cipher that GnuTLS does not have, a wrappermode that
 * the port overrules) is appended to notes, one line each. EX_CONFIG for what must not be tried at all. */
int nexthop_session(struct conf *c, const struct relayhost *r, struct delivery_session *s, struct buf *notes,
		    struct error *err);

/* Sentences about main.cf that are worth a person's attention although it works (conf_notes, both common mistakes with
 * wrappermode, files that do not exist, ...): one a line, appended. No secrets. */
int nexthop_advice(struct conf *c, struct buf *out);

/* Starts an agent (outpost-smtp) with its socket as descriptor DELIVERY_FD, and lock_fd (or -1) as descriptor 4 on
 * purpose: while the agent lives, the flusher's lock is held. *fd is our end, non-blocking, close-on-exec. Its standard
 * descriptors are /dev/null. Dies with us. Returns the pid, or -1. */
pid_t nexthop_start_agent(int lock_fd, int *fd, struct error *err);

#endif
