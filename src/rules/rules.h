/*
 * rules.h: from what the administrator wrote to the mail room's rewrite rules. The one place where conf's parameters
 * become a struct rewrite_rules, so that `sendmail -bv` and `outpost check` show what outpostd does. This room stands
 * between the rooms conf and mail and the programs; it includes both and nothing else does.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <stdbool.h>

#include "base/error.h"
#include "conf/conf.h"
#include "mail/rewrite.h"

/* Those of recipients come first. The relays by sender rewrite nothing; they are kept here since they change with the
 * rest. */
enum rules_map {
	MAP_ALIASES, MAP_VIRTUAL, MAP_CANONICAL, MAP_RECIPIENT_CANONICAL, MAP_GENERIC,
	RULES_RECIPIENT_MAPS,
	MAP_SENDER_CANONICAL = RULES_RECIPIENT_MAPS, MAP_HEADER_CHECKS, MAP_SMTP_HEADER_CHECKS, MAP_SENDER_RELAYS,
	RULES_MAPS
};

struct rules {
	struct rewrite_rules r;		/* its strings are conf's: valid as long as that */
	struct maps *maps[RULES_MAPS];	/* NULL: not set */
};

/* All maps. On failure *r is closed already. */
int rules_open(struct conf *c, struct rules *r, struct error *err);
/* For who only asks what becomes of a recipient: maps that have no part in that are left alone, as he may not be
 * allowed to read them. */
int rules_open_for_recipients(struct conf *c, struct rules *r, struct error *err);
/* May be called twice, and on zeroed memory. */
void rules_close(struct rules *r);
/* Whether the text behind a map is another by now. */
bool rules_changed(const struct rules *r);

#endif
