/*
 * connections.h: how many connections a relay is given at a time: main.cf's limit, what the relay was seen to allow,
 * and, for a while, what served when one more was refused. Also what else was learnt by talking to it.
 */
#ifndef OUTPOSTD_CONNECTIONS_H
#define OUTPOSTD_CONNECTIONS_H

#include "outpostd/parts.h"

void connections_init(struct relay *r);		/* once its row is read */
void connection_opened(struct relay *r);
void connection_closed(struct relay *r);

/* Whether another one may be opened now: the relay may be tried, its host has a place, and those that are open have
 * been full for a while. */
bool connection_may_open(struct outpostd *d, const struct relay *r);
bool connection_may_open_anywhere(struct outpostd *d);
/* Whether the relay's host has a place. With credentials that depend on the sender each sender has a relay here;
 * they are one host, which counts all of them. */
bool connection_has_place(struct outpostd *d, const struct relay *r);
/* Once in a turn, when all that could be handed out was: which relays have no agent with room, and since when. */
void connections_note_full(struct outpostd *d);
deadline connections_deadline(struct outpostd *d, const struct relay *r);

/* A connection was refused, or lost, while others of the relay serve. True: that says how many it allows, and
 * nothing more. */
bool connections_too_many(struct outpostd *d, const struct agent *a, const struct delivery_down *why);
/* No connection is let in: what kept out earlier ones was not their number. */
void connections_forget_limits(struct outpostd *d, struct relay *r);

void connections_learn(struct outpostd *d, struct relay *r, const struct delivery_known *said);
void connections_known(struct outpostd *d, struct relay *r, char text[KNOWN_TEXT]);	/* for a session */

#endif
