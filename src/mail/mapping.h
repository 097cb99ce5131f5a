/*
 * mapping.h: the steps of a rewrite, one address at a time. Used within this room only.
 */
#ifndef MAIL_MAPPING_H
#define MAIL_MAPPING_H

#include "mail/rewrite.h"

enum map_role { ENVELOPE_SENDER, HEADER_SENDER, ENVELOPE_RECIPIENT, HEADER_RECIPIENT };

/* All take a spec and put the result (possibly the same) into out, which is emptied first. 1: changed, 0: the same,
 * -1. */
/* bare names get myorigin, short domains append_domain */
int map_complete(const struct rewrite_rules *r, const char *spec, struct buf *out);
int map_generic(const struct rewrite_rules *r, const char *spec, struct buf *out, struct error *err);
/* What virtual_alias_maps have for spec: 1: the list in *value, which is emptied first, 0: nothing, -1. */
int map_virtual(const struct rewrite_rules *r, const char *spec, struct buf *value, struct error *err);
/* Senders and headers alone: an envelope recipient is delivered to the address that was given. */
int map_masquerade(const struct rewrite_rules *r, const char *spec, struct buf *out);
/* localhost never leaves the machine; with strict set no name without a dot does, where myorigin is better. */
int map_domain(const struct rewrite_rules *r, const char *spec, bool strict, struct buf *out);

/* Whether this domain ("" too) is one whose names are local and go through aliases. */
bool map_is_local(const struct rewrite_rules *r, const char *domain);

int map_ask(const struct rewrite_map *m, const char *key, struct buf *value, struct error *err);

/* sender_canonical_maps or recipient_canonical_maps, and then canonical_maps, where their classes let them. */
int map_canonicals(const struct rewrite_rules *r, enum map_role role, const char *spec, struct buf *out,
		   struct error *err);
/* All of it, for a header or an envelope sender. */
int map_all(const struct rewrite_rules *r, enum map_role role, const char *spec, struct buf *out, struct error *err);

#endif
