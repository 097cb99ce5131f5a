/*
 * sasl.h: logging in at the relay. The credential is asked of outpostd only when the connection is
 * good enough for it (tls_login_allowed), and wiped when the exchange is over.
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "smtp/agent.h"

/* 0: logged in, a->ready.mechanism says how; -1: a->down. */
int sasl_login(struct agent *a);

#endif
