/* program_answer.h: what a program says of a credential (sasl_passwd(5)). Within this room. */
#ifndef CREDENTIALS_PROGRAM_ANSWER_H
#define CREDENTIALS_PROGRAM_ANSWER_H

#include "credentials/credentials.h"

/* An empty credential with its ceilings. */
void credential_init(struct credential *cr);
/* "user:password" of a text map: 1 or -1. */
int credential_parse_entry(const struct buf *value, const char *key, struct credential *out, struct error *err);
/* Lines of NAME=VALUE (user, password, token, expires), or user:password first. user and kind are what the map itself
 * gave; with a user ("" if none) a first line of another form is the whole secret. program is for error texts. 1 or -1.
 */
int credential_parse_answer(struct span text, const char *user, char kind, const char *program, struct credential *out,
			    int64_t *keep_s, struct error *err);
/* What credentials_put_answer wrote: 1, 0 or -1. */
int credential_read_answer(struct span text, struct credential *out, int64_t *keep_s, struct error *err);

#endif
