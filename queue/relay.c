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
	db_copy(st, 4, r->kind, sizeof(r->kind));
	db_copy(st, 5, r->dsn, sizeof(r->dsn));
	db_copy(st, 6, r->text, sizeof(r->text));
	db_copy(st, 7, r->auth_digest, sizeof(r->auth_digest));
	r->last_ok = sqlite3_column_int64(st, 8);
	r->cert_expires = sqlite3_column_int64(st, 9);
	db_copy(st, 10, r->info, sizeof(r->info));
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
	return 1;
}

int queue_relay_set(struct queue *q, const struct queue_relay *r, struct error *err)
{
	return db_run(q, SQL_RELAY_SET, err, "tiiittttiit", r->nexthop, r->down_since, r->down_until, (int64_t)r->failures,
		      r->kind, r->dsn, r->text, r->auth_digest, r->last_ok, r->cert_expires, r->info) < 0 ? -1 : 0;
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
		if (each(arg, &r) < 0)
			return 0;
	}
}
