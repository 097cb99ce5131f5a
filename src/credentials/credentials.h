/*
 * credentials.h: the user name and password, or access token, for a relay: smtp_sasl_password_maps (sasl_passwd(5)).
 *
 * Text files and their like are looked up here, in Postfix's order of keys. Programs (exec:) and token endpoints
 * (oauth2:) take time: outpost-token asks them, in a process of its own, and credentials_ask starts it. Only outpostd,
 * outpost and outpost-token link this room.
 */
#ifndef CREDENTIALS_CREDENTIALS_H
#define CREDENTIALS_CREDENTIALS_H

#include "base/buf.h"
#include "base/error.h"
#include "conf/conf.h"
#include "nexthop/relayhost.h"

struct credential {
	struct buf user, secret;
	char kind;			/* 'P' password, 'T' OAuth2 access token */
	char digest[72];		/* SHA-256 of host, user and secret, in hexadecimal */
	char key[300];			/* the key that matched */
};
void credential_wipe(struct credential *cr);	/* also on zeroed memory */

/* What may be stored of a digest, to know later whether a credential is still the one that was refused: a random salt,
 * and of the salted digest so little (16 bits) that nobody can find a password by trying until it fits. */
enum { CREDENTIAL_MARK = 32 + 4 + 1 };
void credential_mark(const char *digest, char mark[CREDENTIAL_MARK]);
bool credential_has_mark(const char *digest, const char *mark);

/* What is known for one configuration: the answers of programs that may be kept, and whose credentials there are. c is
 * the caller's and must outlive it. NULL without memory. */
struct credentials;
struct credentials *credentials_new(struct conf *c);
void credentials_free(struct credentials *cs);	/* wipes; NULL is fine */

enum { CREDENTIAL_NOT_YET = 2 };

/* What can be found at once. sender is for smtp_sender_dependent_authentication ("" otherwise). 1 found; 0 none: *err
 * then holds the keys that were tried (EX_CONFIG); -1: the map can't be read or is readable by others (EX_NOPERM or
 * EX_CONFIG, with the commands to type); CREDENTIAL_NOT_YET: a program or a token endpoint has to be asked. */
int credentials_find(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		     struct error *err);

/* As credentials_find, but for CREDENTIAL_NOT_YET *q was started: credential_question_fd is watched for reading, and
 * credential_question_step called (CREDENTIAL_NOT_YET: watch on). The descriptor ends by itself when it takes too long.
 * cs may be another one by then. credential_question_free at any time; the process is reaped by whoever reaps the
 * caller's children. */
struct credential_question;
int credentials_ask(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		    struct credential_question **q, struct error *err);
int credential_question_fd(const struct credential_question *q);
int credential_question_step(struct credentials *cs, struct credential_question *q, struct credential *out,
			     struct error *err);
void credential_question_free(struct credential_question *q);
/* Asks and waits. 1, 0, -1. */
int credentials_wait(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		     struct error *err);

/* The relay refused what was given (535): what a program or token endpoint said is not used again. Returns whether
 * asking anew can help (a token, or an answer that was kept). */
bool credentials_refused(struct credentials *cs, char kind);

/* Whose credential a sender uses, with smtp_sender_dependent_authentication: the key of the password map for this
 * sender (the address, or @domain); the address itself where a program would have to be asked, or the map can't be
 * read; "" where there is nothing, so that the relay's own is used. The key is in out (LIMIT_ADDRESS + 1). */
void credentials_owner(struct credentials *cs, const char *sender, char *out, size_t size);

/* ---- outpost-token's side */

/* Gets an access token for the oauth2: map in file (whose mode has been checked): 1 or -1. *keep_s: for how many
 * seconds it may be kept. */
typedef int credential_token(void *arg, const char *file, struct credential *out, int64_t *keep_s, struct error *err);

/* Looks a credential up, runs the programs of exec: maps and calls token for oauth2: maps. 1, 0, -1 as
 * credentials_find. */
int credentials_fetch(struct conf *c, const struct relayhost *r, const char *sender, credential_token *token, void *arg,
		      struct credential *out, int64_t *keep_s, struct error *err);
/* The outcome as credential_question_step reads it. */
void credentials_put_answer(struct buf *answer, int rc, const struct credential *cr, int64_t keep_s,
			    const struct error *err);

/* ---- oauth2: maps in smtp_sasl_password_maps */

/* The file of the map that is for this user (NULL: the first), and its token file. */
int credentials_oauth2_file(struct conf *c, const char *user, char *file, size_t fsize, char *tokens, size_t tsize,
			    struct error *err);
/* The n-th (from 0) map's token file; "" where its FILE can't be read. False: there are no more. */
bool credentials_oauth2_tokens(struct conf *c, size_t n, char *tokens, size_t size);

/* ---- modes */

/* Fails (EX_NOPERM) when main.cf, which root could read, is closed to the queue's owner, who we are by now; with what
 * to type. */
int credentials_conf_readable(struct conf *c, struct error *err);

/* What `outpost check`, `outpost flush` and postmap do as root: set main.cf and password maps that are root's and 0600
 * (and a main.cf that holds static: or inline: passwords and is 0644) to root:group 0640, where main.cf is root's.
 * Appends a line to said for each file that was changed. */
int credentials_fix_modes(struct conf *c, gid_t group, struct buf *said, struct error *err);

#endif
