/* lookup.h: smtp_sasl_password_maps, opened and asked. Within this room. */
#ifndef CREDENTIALS_LOOKUP_H
#define CREDENTIALS_LOOKUP_H

#include "credentials/credentials.h"

/* The list with what this room adds: $CREDENTIALS_DIRECTORY, and the check of modes. */
struct map_list password_maps(struct conf *c);
int password_maps_open(struct conf *c, struct maps **out, struct error *err);

void credential_put_digest(struct credential *cr, const struct relayhost *r);
/* As credentials_owner. *keys: the map without its passwords, kept between calls and read again when it has changed. */
void credential_owner(struct conf *c, struct maps **keys, const char *sender, char *out, size_t size);

#endif
