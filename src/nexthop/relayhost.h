/* relayhost.h: relayhost, smtp_fallback_relay and the like: what is written, and what it means. */
#ifndef NEXTHOP_RELAYHOST_H
#define NEXTHOP_RELAYHOST_H

#include "base/error.h"
#include "conf/conf.h"

struct relayhost {
	char host[256];		/* without brackets; IPv6 literal without them too */
	char port[32];		/* "587" by default */
	bool mx;		/* no brackets: look MX up */
	bool implicit_tls;	/* 465/smtps/submissions, or wrappermode on other ports */
	char written[300];	/* as in main.cf: key of the password map and of the relay's state */
};

/* One nexthop as written. EX_CONFIG with the line to write instead. */
int relayhost_parse(struct conf *c, const char *text, struct relayhost *r, struct error *err);
/* All of relayhost (several in order) and then smtp_fallback_relay. Returns how many (at most max), or -1; 0: none set.
 */
int relayhost_list(struct conf *c, struct relayhost *r, size_t max, struct error *err);
/* The same, but that none is set is a mistake (EX_CONFIG) where sender_dependent_relayhost_maps isn't either. */
int relayhost_route(struct conf *c, struct relayhost *r, size_t max, struct error *err);

#endif
