/* agent_feed.h: a message as frames for an agent: the envelope, the header rewritten, the stored body. */
#ifndef OUTPOSTD_AGENT_FEED_H
#define OUTPOSTD_AGENT_FEED_H

#include "outpostd/parts.h"

int feed_begin(struct agent *a, struct claim *c, struct error *err);	/* START, and the whole body when it is small */
void feed_body(struct claim *c);					/* GET: the body, from its beginning */
/* what fits of it now; again when there is room */
int feed_more(struct agent *a, struct claim *c);

#endif
