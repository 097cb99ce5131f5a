/* reply_fixture.h: a relay's reply from its bytes. */
#ifndef UNIT_REPLY_FIXTURE_H
#define UNIT_REPLY_FIXTURE_H

#include "smtp/reply.h"
#include "unit.h"

static inline int parse(struct reply *r, const char *text, size_t n)
{
	size_t used;

	return reply_take(r, (struct span){text, n}, &used);
}

#endif
