/* claim.c: the list of claims. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

bool claim_known(const struct outpostd *d, int64_t row)
{
	for (size_t i = 0; i < d->claims.n; i++)
		if (d->claims.list[i]->m.row == row)
			return true;
	return false;
}

void claims_list(const struct outpostd *d, struct buf *out)
{
	for (size_t i = 0; i < d->claims.n; i++)
		buf_addf(out, ">%s\n", d->claims.list[i]->m.id);
}

void claim_free(struct outpostd *d, struct claim *c)
{
	struct claims *s = &d->claims;

	for (size_t i = 0; i < s->n; i++)
		if (s->list[i] == c) {
			s->list[i] = s->list[--s->n];
			break;
		}
	journal_remove(d, c);
	queue_message_free(&c->m);
	buf_free(&c->header);
	free(c->sender);
	free(c->decided);
	free(c);
}

struct claim *claim_new(struct outpostd *d, struct queue_message *m, enum claim_state state)
{
	struct claim *c = calloc(1, sizeof(*c));
	unsigned char *bits = calloc(1, m->nrecipients / 8 + 1);
	struct claim **place =
		c && bits ? array_add(&d->claims.list, &d->claims.n, &d->claims.cap, sizeof(*place)) : NULL;

	if (!place) {
		free(c);
		free(bits);
		return NULL;
	}
	*place = c;
	c->m = *m;
	c->state = state;
	c->decided = bits;
	c->undecided = m->nrecipients;
	c->claimed_us = clock_us(d);
	buf_init(&c->header, LIMIT_HEADER_SENT);
	memset(m, 0, sizeof(*m));
	return c;
}

void claims_free(struct outpostd *d)
{
	free(d->claims.list);
	d->claims = (struct claims){0};
}
