#include "config.h"
#include "queue/db.h"

#include <string.h>

static void take_relay(sqlite3_stmt *st, struct queue_relay *r)
{
	memset(r, 0, sizeof(*r));
	db_copy(st, 0, r->nexthop, sizeof(r->nexthop));
	r->down_since = sqlite3_column_int64(st, 1);
	r->down_until = sqlite3_column_int64(st, 2);
	r->failures = (uint32_t)sqlite3_column_int64(st, 3);
	r->reason = db_reason(st, 4);
	db_copy(st, 5, r->dsn, sizeof(r->dsn));
	db_copy(st, 6, r->text, sizeof(r->text));
	db_copy(st, 7, r->auth_digest, sizeof(r->auth_digest));
	r->last_ok = sqlite3_column_int64(st, 8);
	r->cert_expires = sqlite3_column_int64(st, 9);
	db_copy(st, 10, r->known, sizeof(r->known));
	db_copy(st, 11, r->tls, sizeof(r->tls));
	db_copy(st, 12, r->mechanism, sizeof(r->mechanism));
	db_copy(st, 13, r->extensions, sizeof(r->extensions));
	r->not_before = sqlite3_column_int64(st, 14);
}

static int take_pauses(struct queue *q, struct queue_relay *r, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_PAUSES, err, "ti", r->nexthop, (int64_t)QUEUE_PAUSES);
	int rc = -1;

	while (st && (rc = db_step(q, st, err)) > 0)
		r->pauses[r->npauses++] =
			(struct queue_pause){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1)};
	return rc;
}

int queue_relay_get(struct queue *q, const char *nexthop, struct queue_relay *r, struct error *err)
{
	sqlite3_stmt *st = db_bind(q, SQL_RELAY_GET, err, "t", nexthop);
	int rc = st ? db_step(q, st, err) : -1;

	memset(r, 0, sizeof(*r));
	if (rc <= 0)
		return rc;
	take_relay(st, r);
	db_done(st);
	return take_pauses(q, r, err) < 0 ? -1 : 1;
}

int queue_relay_set(struct queue *q, const struct queue_relay *r, struct error *err)
{
	if (db_inside(q, err) < 0 ||
	    db_run(q, SQL_RELAY_SET, err, "tiiittttiitttti", r->nexthop, r->down_since, r->down_until,
		   (int64_t)r->failures, reason_name(r->reason), r->dsn, r->text, r->auth_digest, r->last_ok,
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

	for (;;) {
		char after[sizeof(r.nexthop)];
		sqlite3_stmt *st;
		int rc;

		memcpy(after, r.nexthop, sizeof(after));
		st = db_bind(q, SQL_RELAY_AFTER, err, "t", after);
		rc = st ? db_step(q, st, err) : -1;
		if (rc <= 0)
			return rc;
		take_relay(st, &r);
		db_done(st);
		if (take_pauses(q, &r, err) < 0)
			return -1;
		if (each(arg, &r) < 0)
			return 0;
	}
}
