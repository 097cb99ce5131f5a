#include "config.h"
#include "rules/rules.h"

#include <string.h>

#include "base/files/trust.h"

static const enum conf_param map_params[RULES_MAPS] = {
	[MAP_ALIASES] = P_alias_maps,
	[MAP_VIRTUAL] = P_virtual_alias_maps,
	[MAP_CANONICAL] = P_canonical_maps,
	[MAP_RECIPIENT_CANONICAL] = P_recipient_canonical_maps,
	[MAP_SENDER_CANONICAL] = P_sender_canonical_maps,
	[MAP_GENERIC] = P_smtp_generic_maps,
	[MAP_HEADER_CHECKS] = P_header_checks,
	[MAP_SMTP_HEADER_CHECKS] = P_smtp_header_checks,
	[MAP_SENDER_RELAYS] = P_sender_dependent_relayhost_maps,
};

static int map_get(void *arg, const char *key, struct buf *value, struct error *err)
{
	return maps_get(arg, key, value, err);
}

static struct rewrite_map as_map(struct maps *m)
{
	return (struct rewrite_map){m ? map_get : NULL, m};
}

/* An :include: of an alias, for a program that may wait for it. outpostd puts list_reader.h in its place. */
static int include(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err)
{
	(void)arg;
	return everybodys ? trust_read_everybodys(path, text, err) : trust_read_public(path, text, NULL, err);
}

static int open_maps(struct conf *c, struct rules *r, enum rules_map end, struct error *err)
{
	memset(r, 0, sizeof(*r));
	for (enum rules_map i = 0; i < end; i++)
		if (maps_open(conf_map_list(c, map_params[i]), &r->maps[i], err) < 0) {
			rules_close(r);
			return -1;
		}
	r->r = (struct rewrite_rules){
		.myorigin = conf_myorigin(c),
		.myhostname = conf_myhostname(c),
		.append_domain = conf_bool(c, P_append_dot_mydomain) ? conf_str(c, P_mydomain) : NULL,
		.recipient_delimiter = conf_str(c, P_recipient_delimiter),
		.local_domains = conf_str(c, P_mydestination),
		.aliases = as_map(r->maps[MAP_ALIASES]),
		.virtual = as_map(r->maps[MAP_VIRTUAL]),
		.include = include,
		.aliases_exposed = maps_exposed(r->maps[MAP_ALIASES]),
		.canonical = as_map(r->maps[MAP_CANONICAL]),
		.recipient_canonical = as_map(r->maps[MAP_RECIPIENT_CANONICAL]),
		.sender_canonical = as_map(r->maps[MAP_SENDER_CANONICAL]),
		.generic = as_map(r->maps[MAP_GENERIC]),
		.canonical_classes = conf_str(c, P_canonical_classes),
		.sender_canonical_classes = conf_str(c, P_sender_canonical_classes),
		.recipient_canonical_classes = conf_str(c, P_recipient_canonical_classes),
		.masquerade_domains = conf_str(c, P_masquerade_domains),
		.masquerade_exceptions = conf_str(c, P_masquerade_exceptions),
		.header_checks = {as_map(r->maps[MAP_HEADER_CHECKS]), as_map(r->maps[MAP_SMTP_HEADER_CHECKS])},
		.always_bcc = conf_str(c, P_always_bcc),
		.from_address = conf_str(c, P_from_address),
		.from_address_keep = conf_str(c, P_from_address_keep),
	};
	return 0;
}

int rules_open(struct conf *c, struct rules *r, struct error *err)
{
	return open_maps(c, r, RULES_MAPS, err);
}

int rules_open_for_recipients(struct conf *c, struct rules *r, struct error *err)
{
	return open_maps(c, r, RULES_RECIPIENT_MAPS, err);
}

void rules_close(struct rules *r)
{
	for (enum rules_map i = 0; i < RULES_MAPS; i++)
		maps_free(r->maps[i]);
	memset(r, 0, sizeof(*r));
}

bool rules_changed(const struct rules *r)
{
	for (enum rules_map i = 0; i < RULES_MAPS; i++)
		if (maps_changed(r->maps[i]))
			return true;
	return false;
}
