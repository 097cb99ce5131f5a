/* claim.c: messages that are under way. Who has one is in memory alone: after a crash there is nothing to clean up. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

static bool claim_add(struct schedule *s, struct claim *c)
{
	if (s->nclaims == s->capclaims) {
		size_t cap = s->capclaims ? s->capclaims * 2 : 64;
		struct claim **list = realloc(s->claims, cap * sizeof(struct claim *));

		if (!list)
			return false;
		s->claims = list;
		s->capclaims = cap;
	}
	s->claims[s->nclaims++] = c;
	return true;
}

bool claim_known(const struct outpostd *d, int64_t row)
{
	for (size_t i = 0; i < d->schedule.nclaims; i++)
		if (d->schedule.claims[i]->m.row == row)
			return true;
	return false;
}

void claim_free(struct outpostd *d, struct claim *c)
{
	struct schedule *s = &d->schedule;

	for (size_t i = 0; i < s->nclaims; i++)
		if (s->claims[i] == c) {
			s->claims[i] = s->claims[--s->nclaims];
			break;
		}
	journal_remove(d, c);
	queue_message_free(&c->m);
	buf_free(&c->header);
	free(c->sender);
	free(c->decided);
	free(c);
}

struct claim *claim_new(struct outpostd *d, struct queue_message *m)
{
	struct claim *c = calloc(1, sizeof(*c));
	unsigned char *bits = calloc(1, m->nrecipients / 8 + 1);

	if (!c || !bits) {
		free(c);
		free(bits);
		return NULL;
	}
	c->m = *m;
	c->decided = bits;
	c->undecided = m->nrecipients;
	c->claimed_us = clock_us(d);
	buf_init(&c->header, LIMIT_HEADER * 2);
	if (!claim_add(&d->schedule, c)) {
		free(c);
		free(bits);
		return NULL;
	}
	memset(m, 0, sizeof(*m));
	return c;
}
