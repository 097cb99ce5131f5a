/* route.h: which relays there are, and which of them a message may take, in order of preference. */
#ifndef OUTPOSTD_ROUTE_H
#define OUTPOSTD_ROUTE_H

#include "outpostd/parts.h"

enum {
	RELAYS_MAX = 16,		/* in one route */
	RELAYS_KEPT = 64,		/* in memory, before those that nobody needs are freed, */
	RELAYS_CEILING = 1024,		/* and at most: more wait */
};

struct relays {
	struct relay *first;		/* all that are known */
	size_t n;
	struct relay *route[RELAYS_MAX];	/* relayhost and its fallbacks */
	size_t nroute;
	struct error error;		/* why there is no route; REASON_NONE: there is one */
};

/* Those that the previous run knew, so that what they kept does not count towards lifetimes. */
void relays_recall(struct outpostd *d);
/* Reads relayhost; keeps known states, and ends the pauses of relays that are no longer named. Failure is logged. */
void relays_configure(struct outpostd *d);
/* What main.cf says may be right, and the relay's row only could not be read from the queue when it was asked for. */
void relays_configure_again(struct outpostd *d);
void relays_free(struct outpostd *d);

/* The relays for a sender; how many, or -1. */
int relays_for(struct outpostd *d, const char *sender, struct relay *list[RELAYS_MAX], struct error *err);
/* by main.cf, or maybe for one of the senders */
bool relay_is_named(const struct outpostd *d, const struct relay *r);
bool relay_is_first(const struct outpostd *d, const struct relay *r);	/* of main.cf's route */
/* The sender decides about the relay, or about the login there: there may be relays that are not known yet. */
bool relays_depend_on_sender(const struct outpostd *d);
bool relays_usable(struct outpostd *d);		/* any may be tried now */
/* When a relay may be tried again, another agent started, or another message given; only times that are to come. */
deadline relays_deadline(struct outpostd *d);
const struct error *relays_error(const struct outpostd *d);	/* why there is no route, or NULL */
/* Why nothing moves, in words, or NULL. */
const char *relays_reason(struct outpostd *d, enum reason *why, char dsn[12]);

#endif
