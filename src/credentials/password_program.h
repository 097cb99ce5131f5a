/* password_program.h: the program of an exec: map is run for a password. Within this room. */
#ifndef CREDENTIALS_PASSWORD_PROGRAM_H
#define CREDENTIALS_PASSWORD_PROGRAM_H

#include "credentials/credentials.h"

/* command: "[user=NAME] [kind=token] /program [argument ...]"; %k stands for the key, which is the only argument when
 * none is given. Runs it for so many seconds at most; its standard error goes to the log. 1; 0: it knows none for this
 * key; -1. */
int password_program_ask(const char *command, const char *key, int seconds, struct credential *out, int64_t *keep_s,
			 struct error *err);

#endif
