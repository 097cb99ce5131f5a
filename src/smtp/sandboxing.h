/*
 * sandboxing.h: what an agent gives up: first all files but the system's own and those that main.cf names, then,
 * connected, all files and nearly all system calls.
 */
#ifndef SMTP_SANDBOXING_H
#define SMTP_SANDBOXING_H

#include <stdbool.h>

#include "delivery/delivery.h"

bool agent_sandbox_files(const struct delivery_session *s);
/* Connected: no files at all any more, and few system calls. again: other addresses may have to be
 * connected to. Says what took hold, for a debugging line. */
const char *agent_sandbox_all(bool again);

#endif
