/* session_end.h: what the end of an agent's session says about its relay. */
#ifndef OUTPOSTD_SESSION_END_H
#define OUTPOSTD_SESSION_END_H

#include "outpostd/parts.h"

/* A DOWN frame, or one that could not be started. */
void session_failed(struct outpostd *d, struct agent *a, const struct delivery_down *why);
/* A BYE frame. Called before what the agent had goes back. */
void session_closed(struct outpostd *d, struct agent *a);
/* The relay answered for a message. */
void session_answered(struct outpostd *d, struct agent *a, const struct delivery_verdict *v);
/* No connection of late ended without progress, and no credential is being renewed. */
bool sessions_are_fine(const struct relay *r);

#endif
