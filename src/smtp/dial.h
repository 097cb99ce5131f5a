/*
 * dial.h: a TCP connection to one of several addresses. An address that does not answer holds up the next
 * one for a second, not for its whole time-out; the first connection wins.
 */
#ifndef SMTP_DIAL_H
#define SMTP_DIAL_H

#include "smtp/agent.h"
#include "smtp/resolve.h"

/* Connects to an endpoint that was not tried; marks those it tries. While the first connection is under
 * way the trust store is loaded. 0: a->ch is open, a->ready says to whom; -1: a->down. */
int dial(struct agent *a, struct endpoints *e);

bool dial_more(const struct endpoints *e);	/* whether any is left to be tried */

#endif
