/*
 * transfer.h: messages over an open session, until outpostd has no more or the session ends.
 */
#ifndef SMTP_TRANSFER_H
#define SMTP_TRANSFER_H

#include "smtp/agent.h"

/* 0: ended in order (BYE); the connection may be closed with QUIT unless it is closed already. -1: a->down. */
int transfer_run(struct agent *a);

#endif
