#include "config.h"
#include "queue/db.h"

#include <stdio.h>

int queue_shift_times(struct queue *q, int64_t before, int64_t by_us, struct error *err)
{
	long long by = by_us, limit = before;
	char sql[800];

	snprintf(sql, sizeof(sql),
		 "UPDATE recipient SET next = next + %lld, last = last + %lld"
		 " WHERE (SELECT arrival FROM message WHERE id = recipient.message) < %lld;"
		 "UPDATE message SET arrival = arrival + %lld, due = due + %lld, done = done + %lld"
		 " WHERE arrival < %lld;"
		 "UPDATE relay SET down_since = down_since + %lld, down_until = down_until + %lld"
		 " WHERE down_until <> 0 AND down_since < %lld;"
		 "UPDATE OR REPLACE pause SET since = since + %lld, until = until + %lld WHERE since < %lld;",
		 by, by, limit, by, by, by, limit, by, by, limit, by, by, limit);
	if (queue_begin(q, err) < 0)
		return -1;
	return db_end(q, db_exec(q, sql, err), err);
}

/* Both ways, user by user: each is a step down an index. */
static int correct_queued(struct queue *q, int64_t now, int64_t latest, int64_t *corrected, struct error *err)
{
	int64_t uid = -1;
	int n, m, rc;

	while ((rc = db_row(q, SQL_USER_ABOVE, err, "i>i", uid, &uid)) > 0) {
		if (db_run(q, SQL_CORRECT_DUE_RECIPIENTS, err, "iii", now, uid, latest) < 0)
			return -1;
		n = db_run(q, SQL_CORRECT_DUE, err, "iii", now, uid, latest);
		m = db_run(q, SQL_CORRECT_LONG_AGO, err, "iii", now, uid, QUEUE_EPOCH);
		if (n < 0 || m < 0)
			return -1;
		*corrected += n + m;
	}
	return rc;
}

static int correct_others(struct queue *q, int64_t now, int64_t *corrected, struct error *err)
{
	static const char *const done[] = {"f", "s", "x"};
	int n = db_run(q, SQL_CORRECT_HELD, err, "ii", now, QUEUE_EPOCH);

	if (n < 0 || db_run(q, SQL_CORRECT_AHEAD, err, "ii", now, db_key_of(now)) < 0)
		return -1;
	*corrected += n;
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		if (db_run(q, SQL_CORRECT_DONE, err, "iti", now, done[i], QUEUE_EPOCH) < 0)
			return -1;
	return 0;
}

int64_t queue_correct_times(struct queue *q, int64_t now, int64_t latest, struct error *err)
{
	int64_t corrected = 0;

	if (now < QUEUE_EPOCH)
		return 0;
	if (queue_begin(q, err) < 0)
		return -1;
	if (correct_queued(q, now, latest, &corrected, err) < 0 || correct_others(q, now, &corrected, err) < 0)
		return db_end(q, -1, err);
	return db_end(q, 0, err) < 0 ? -1 : corrected;
}
