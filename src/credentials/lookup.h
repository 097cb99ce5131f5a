/* lookup.h: smtp_sasl_password_maps, opened and asked. Within this room. */
#ifndef CREDENTIALS_LOOKUP_H
#define CREDENTIALS_LOOKUP_H

#include "credentials/credentials.h"

/* How to look a credential up; token may be NULL where there is no oauth2: map. */
struct lookup {
	struct conf *conf;
	credential_token *token;
	void *arg;
};

/* The list with what this room adds: $CREDENTIALS_DIRECTORY, and the check of modes. */
struct map_list password_maps(struct conf *c);
int password_maps_open(struct conf *c, struct maps **out, struct error *err);

/* As credentials_fetch. */
int credential_look_up(const struct lookup *l, const struct relayhost *r, const char *sender, struct credential *out,
		       int64_t *keep_s, struct error *err);
void credential_put_digest(struct credential *cr, const struct relayhost *r);
/* As credentials_owner. *keys: the map without its passwords, kept between calls and read again when it has changed. */
void credential_owner(struct conf *c, struct maps **keys, const char *sender, char *out, size_t size);

#endif
