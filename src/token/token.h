/*
 * token.h: OAuth2 access tokens for the relay's login (RFC 6749, RFC 8628). outpost-token, the only program that links
 * libcurl, runs as the queue's owner, for one question.
 */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"
#include "credentials/oauth2_file.h"

/* ---- store.c: the token file, 0600, key=value lines. */
struct token_store {
	char path[4096];
	char binding[65];		/* digest of whom and what the tokens are for */
	char refresh[8192];
	char access[16384];
	int64_t issued, expires;	/* seconds since 1970 */
	int lock;			/* descriptor, -1: none */
};

/* Takes the lock (PATH.lock) within so many seconds and reads the file; tokens for another account or client are left
 * out. A file that is not there is an empty one. */
int store_open(struct token_store *s, const char *path, const struct oauth2 *o, int seconds, struct error *err);
int store_save(const struct token_store *s, struct error *err);
void store_close(struct token_store *s);	/* wipes */

/* ---- http.c: one POST over verified TLS. */
struct http_answer {
	long status;
	struct buf body;
};
int http_post(const struct oauth2 *o, const char *url, const struct buf *form, int seconds, struct http_answer *a,
	      struct error *err);
/* name=value, percent-encoded, '&' in front where needed. */
void form_add(struct buf *form, const char *name, const char *value);

/* ---- json.c: SQLite reads it. */
bool json_is_object(const struct buf *text);
/* A string or number at the top of the object; false (out "") when it is not there or does not fit. */
bool json_get(const struct buf *text, const char *name, char *out, size_t size);
int64_t json_number(const struct buf *text, const char *name, int64_t otherwise);

/* ---- grant.c: asking the token endpoint. */
/* An answer with a token into the store (not saved): 0. Else -1; name gets the error's OAuth2 name ("" when it is
 * none). */
int grant_take(struct token_store *s, const struct oauth2 *o, const struct http_answer *a, char *name, size_t size,
	       struct error *err);
/* A form that says which client asks. */
void grant_form(struct buf *form, const struct oauth2 *o, const char *grant_type);
/* Sends the form to the token endpoint, wipes it, and takes the answer. */
int grant_post(struct token_store *s, const struct oauth2 *o, struct buf *form, int seconds, struct error *err);
/* A valid access token in s: the stored one, or a new one if that ends soon or fresh is wanted. */
int grant_get(struct token_store *s, const struct oauth2 *o, bool fresh, int seconds, struct error *err);
/* How many seconds before its end a token is not used any more. */
int64_t grant_margin(const struct token_store *s);

/* ---- device.c: the device flow on the terminal. The tokens are in s, not saved. */
int device_login(struct token_store *s, const struct oauth2 *o, struct error *err);

/* ---- browser.c: the authorization code, copied from the browser's address line (RFC 6749 4.1, RFC 7636, RFC 8252). */
int browser_login(struct token_store *s, const struct oauth2 *o, struct error *err);

int64_t now_s(void);

#endif
