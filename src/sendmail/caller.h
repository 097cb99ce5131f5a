/*
 * caller.h: who calls, as far as letters need to know.
 */
#ifndef SENDMAIL_CALLER_H
#define SENDMAIL_CALLER_H

#include <sys/types.h>

#include "base/buf.h"

/* The login name of our real uid, or "uid1000" when it has none. Looked up once. */
const char *caller_login(void);

/* The full name: -F, else NAME of the environment, else the first part of GECOS with its '&'. May add nothing. */
void caller_full_name(const char *option, struct buf *out);

#endif
