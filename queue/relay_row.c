#include "config.h"
#include "queue/db.h"

#include <string.h>

#define RELAY_FORMAT "biiurbbbiibbbbi"
#define RELAY_MEMBERS(r) \
	(r)->nexthop, sizeof((r)->nexthop), &(r)->down_since, &(r)->down_until, &(r)->failures, &(r)->reason, \
	(r)->dsn, sizeof((r)->dsn), (r)->text, sizeof((r)->text), (r)->auth_mark, sizeof((r)->auth_mark), \
	&(r)->last_ok, &(r)->cert_expires, (r)->known, sizeof((r)->known), (r)->tls, sizeof((r)->tls), \
	(r)->mechanism, sizeof((r)->mechanism), (r)->extensions, sizeof((r)->extensions), &(r)->not_before

static int take_pauses(struct queue *q, struct queue_relay *r, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_PAUSES, err, "ti", r->nexthop, (int64_t)QUEUE_PAUSES);
	int rc = -1;

	while (st && (rc = db_step(q, st, err)) > 0)
		if (r->npauses < QUEUE_PAUSES) {
			struct queue_pause *p = &r->pauses[r->npauses++];

			db_read(st, err, "ii", &p->since, &p->until);
		}
	return rc;
}

int queue_relay_get(struct queue *q, const char *nexthop, struct queue_relay *r, struct error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	rc = db_row(q, SQL_RELAY_GET, err, "t>" RELAY_FORMAT, nexthop, RELAY_MEMBERS(r));
	if (rc <= 0)
		return rc;
	return take_pauses(q, r, err) < 0 ? -1 : 1;
}

int queue_relay_set(struct queue *q, const struct queue_relay *r, struct error *err)
{
	if (db_inside(q, err) < 0 ||
	    db_run(q, SQL_RELAY_SET, err, "tiiittttiitttti", r->nexthop, r->down_since, r->down_until,
		   (int64_t)r->failures, reason_name(r->reason), r->dsn, r->text, r->auth_mark, r->last_ok,
		   r->cert_expires, r->known, r->tls, r->mechanism, r->extensions, r->not_before) < 0 ||
	    db_run(q, SQL_PAUSES_FORGET, err, "t", r->nexthop) < 0)
		return -1;
	for (size_t i = 0; i < r->npauses; i++)
		if (db_run(q, SQL_PAUSE_ADD, err, "tii", r->nexthop, r->pauses[i].since, r->pauses[i].until) < 0)
			return -1;
	return 0;
}

/* One by one, so that no statement is open while `each` does what it likes. */
int queue_relay_list(struct queue *q, int (*each)(void *, const struct queue_relay *), void *arg, struct error *err)
{
	struct queue_relay r = {0};
	char after[sizeof(r.nexthop)];
	int rc;

	for (;;) {
		memcpy(after, r.nexthop, sizeof(after));
		memset(&r, 0, sizeof(r));
		rc = db_row(q, SQL_RELAY_AFTER, err, "t>" RELAY_FORMAT, after, RELAY_MEMBERS(&r));
		if (rc <= 0)
			return rc;
		if (take_pauses(q, &r, err) < 0)
			return -1;
		if (each(arg, &r) < 0)
			return 0;
	}
}
