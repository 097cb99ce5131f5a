/*
 * migrate.c: a queue of an older version becomes one of this, by whoever holds the lock, in one transaction: a crash
 * leaves the old one or the new one. What comes out is what schema.sql makes; tests/unit/test_queue_migrate.c compares.
 */
#include "config.h"
#include "queue/db.h"

#include <stdio.h>

/* A string of the JSON object that version 1 kept of a relay; it held no quotes. */
#define INFO_FROM(key) "substr(info, instr(info, '\"" key "\":\"') + length('\"" key "\":\"'))"
#define INFO(key)                                                                                                      \
	"CASE instr(info, '\"" key                                                                                     \
	"\":\"') WHEN 0 THEN '' ELSE substr(" INFO_FROM(key) ", 1, instr(" INFO_FROM(key) ", '\"') - 1) END"

/* [n]: from version n to n + 1. */
static const char *const steps[QUEUE_VERSION] = {
	[1] =
		"ALTER TABLE relay RENAME TO relay_1;"
		"CREATE TABLE relay ("
		" nexthop TEXT PRIMARY KEY,"
		" down_since INTEGER NOT NULL,"
		" down_until INTEGER NOT NULL,"
		" failures INTEGER NOT NULL,"
		" kind TEXT NOT NULL,"
		" dsn TEXT NOT NULL,"
		" text TEXT NOT NULL,"
		" auth_digest TEXT NOT NULL,"
		" last_ok INTEGER NOT NULL,"
		" cert_expires INTEGER NOT NULL,"
		" known TEXT NOT NULL,"
		" tls TEXT NOT NULL,"
		" mechanism TEXT NOT NULL,"
		" extensions TEXT NOT NULL,"
		" not_before INTEGER NOT NULL,"
		" minute INTEGER NOT NULL,"
		" minute_used INTEGER NOT NULL"
		") WITHOUT ROWID;"
		"CREATE TABLE pause ("
		" relay TEXT NOT NULL,"
		" since INTEGER NOT NULL,"
		" until INTEGER NOT NULL,"
		" PRIMARY KEY (relay, since, until)"
		") WITHOUT ROWID;"
		"INSERT INTO relay SELECT nexthop, down_since, down_until, failures, kind, dsn, text, auth_digest,"
		" last_ok, cert_expires, " INFO("known") ", " INFO("tls") ", " INFO("mechanism") ", "
		INFO("extensions") ", 0, 0, 0 FROM relay_1;"
		/* "FROM-TO FROM-TO ...", seconds */
		"WITH RECURSIVE word (relay, one, rest) AS ("
		" SELECT nexthop, '', " INFO("pauses") " || ' ' FROM relay_1"
		" UNION ALL"
		" SELECT relay, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1)"
		" FROM word WHERE rest <> '')"
		"INSERT OR IGNORE INTO pause SELECT relay,"
		" 1000000 * CAST(substr(one, 1, instr(one, '-') - 1) AS INTEGER),"
		" 1000000 * CAST(substr(one, instr(one, '-') + 1) AS INTEGER) FROM word WHERE instr(one, '-') > 1;"
		"DROP TABLE relay_1;",
	[2] =
		"ALTER TABLE recipient ADD COLUMN reason TEXT;"
		"ALTER TABLE event ADD COLUMN reason TEXT;"
		"ALTER TABLE relay RENAME COLUMN kind TO reason;"
		"ALTER TABLE relay RENAME COLUMN auth_digest TO auth_mark;"
		"UPDATE relay SET auth_mark = '';" /* it had no salt */
		"ALTER TABLE relay DROP COLUMN minute;"
		"ALTER TABLE relay DROP COLUMN minute_used;"
		"WITH named (kind, reason) AS (VALUES"
		" ('network', 'connection-lost'),"
		" ('local', 'network-local'),"
		" ('dns', 'dns-failed'),"
		" ('greeting', 'session-refused'),"
		" ('tls', 'tls-failed'),"
		" ('auth', 'login-failed'),"
		" ('config', 'config'),"
		" ('busy', 'relay-busy'))"
		"UPDATE relay SET reason = ifnull((SELECT n.reason FROM named n WHERE kind = relay.reason), '');",
};

static int run_steps(struct queue *q, int64_t version, struct error *err)
{
	char done[48];

	for (int64_t v = version; v < QUEUE_VERSION; v++)
		if (db_exec(q, steps[v], err) < 0)
			return -1;
	snprintf(done, sizeof(done), "PRAGMA user_version = %d", QUEUE_VERSION);
	return db_exec(q, done, err);
}

int db_migrate(struct queue *q, int64_t version, struct error *err)
{
	struct error ignored;

	if (db_exec(q, "PRAGMA synchronous=EXTRA; PRAGMA secure_delete=ON; BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (run_steps(q, version, err) == 0 && db_exec(q, "COMMIT", err) == 0)
		return 0;
	if (!sqlite3_get_autocommit(q->db))
		db_exec(q, "ROLLBACK", &ignored);
	return error_prefix(err, "the queue is of version %lld and could not be carried over", (long long)version);
}
