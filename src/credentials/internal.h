/*
 * credentials/internal.h: what the files of this room share.
 */
#ifndef CREDENTIALS_INTERNAL_H
#define CREDENTIALS_INTERNAL_H

#include <sys/stat.h>

#include "credentials/credentials.h"

/* ---- file_modes.c: who may read a file with passwords, and what to type where that is wrong */

/* Fails unless the file is kept from all but root and the queue's owner. */
int secret_file_check(struct conf *c, const char *path, const struct stat *st, struct error *err);
/* Says why the queue's owner cannot read it. Returns -1. */
int secret_file_unreadable(struct conf *c, const char *path, struct error *err);

/* ---- lookup.c: smtp_sasl_password_maps, opened and asked */

/* The list with what this room adds: $CREDENTIALS_DIRECTORY, and the check of modes. */
struct map_list password_maps(struct conf *c);
int password_maps_open(struct conf *c, struct maps **out, struct error *err);

void credential_put_digest(struct credential *cr, const struct relayhost *r);
/* As credentials_owner. *keys: the map without its passwords, kept between calls and read again when it has changed. */
void credential_owner(struct conf *c, struct maps **keys, const char *sender, char *out, size_t size);

/* ---- program_answer.c: what a program says of a credential (sasl_passwd(5)) */

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

/* ---- password_program.c: the program of an exec: map is run for a password */

/* command: "[user=NAME] [kind=token] /program [argument ...]"; %k stands for the key, which is the only argument when
 * none is given. Runs it for so many seconds at most; its standard error goes to the log. 1; 0: it knows none for this
 * key; -1. */
int password_program_ask(const char *command, const char *key, int seconds, struct credential *out, int64_t *keep_s,
			 struct error *err);

#endif
