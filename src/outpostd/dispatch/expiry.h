/* expiry.h: after a relay was found down, the messages that wait for it are looked at for their age: warned of, or
 * expired. */
#ifndef OUTPOSTD_EXPIRY_H
#define OUTPOSTD_EXPIRY_H

#include "outpostd/parts.h"

struct expiry {
	struct relay *relay;	/* NULL: none is under way */
	int64_t key;		/* of the last message looked at */
};

void expiry_begin(struct outpostd *d, struct relay *r);
bool expiry_is_of(const struct outpostd *d, const struct relay *r);
bool expiry_under_way(const struct outpostd *d);
void expiry_tick(struct outpostd *d);

#endif
