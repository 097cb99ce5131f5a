#include "config.h"
#include "queue/sql.h"

/* The plan of each is looked at by tests/unit/test_queue_plan.c: nothing here may walk through a table. */

#define MESSAGE_COLUMNS                                                                                                \
	"m.id, m.uid, w.text, m.sender, m.envid, m.ret, m.body, m.flags, m.size, m.lines, m.header, m.arrival"

#define RELAY_COLUMNS                                                                                                  \
	"nexthop, down_since, down_until, failures, reason, dsn, text, auth_digest, last_ok, cert_expires,"            \
	" known, tls, mechanism, extensions, not_before"

const char *const queue_sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT put",
	[SQL_RELEASE] = "RELEASE put",
	[SQL_ROLLBACK_TO] = "ROLLBACK TO put",
	[SQL_READ_BEGIN] = "BEGIN",

	/* ---- put. OR ROLLBACK where a trigger follows: else SQLite keeps a copy of each page that the statement
	 * changes, to be able to undo it alone, and takes twice as long; a constraint that fails means a damaged queue
	 * anyway. */
	[SQL_KEY_TAKEN] =
		"SELECT 1 FROM message WHERE id = ?1 UNION ALL SELECT 1 FROM event WHERE id = ?1 LIMIT 1",
	[SQL_PUT_FIND] = "SELECT id FROM message WHERE token = ? AND uid = ?",
	[SQL_PUT_MESSAGE] =
		"INSERT OR ROLLBACK INTO message (id, state, due, uid, user, token, sender, envid, ret, body,"
		" flags, size, lines, header, arrival, chunk, unsent, failed)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)",
	[SQL_PUT_LINES] = "UPDATE message SET lines = ? WHERE id = ?",
	[SQL_PUT_RECIPIENT] =
		"INSERT INTO recipient (message, n, state, address, original, orcpt, notify, attempts, next)"
		" VALUES (?,?,'q',?,?,?,?,0,?)",
	[SQL_PUT_CHUNK] = "INSERT INTO chunk (id, data) VALUES (?,?)",
	[SQL_WORD_FIND] = "SELECT id FROM word WHERE text = ?",
	[SQL_WORD_ADD] = "INSERT INTO word (text) VALUES (?)",

	/* ---- claim */
	[SQL_NEXT_SAME_DUE] =
		"SELECT id, due FROM message INDEXED BY message_due"
		" WHERE state = 'q' AND uid = ? AND due = ? AND id > ? ORDER BY id LIMIT 1",
	[SQL_NEXT_LATER] =
		"SELECT id, due FROM message INDEXED BY message_due"
		" WHERE state = 'q' AND uid = ? AND due > ? AND due <= ? ORDER BY due, id LIMIT 1",
	[SQL_USER_ABOVE] =
		"SELECT uid FROM message INDEXED BY message_due WHERE state = 'q' AND uid > ? ORDER BY uid LIMIT 1",
	[SQL_USER_DUE] =
		"SELECT due FROM message INDEXED BY message_due"
		" WHERE state = 'q' AND uid = ? AND due > ? ORDER BY due LIMIT 1",
	[SQL_MESSAGE] =
		"SELECT " MESSAGE_COLUMNS " FROM message m LEFT JOIN word w ON w.id = m.user"
		" WHERE m.id = ? AND m.state = 'q'",
	[SQL_RECIPIENTS_DUE] =
		"SELECT n, address, original, orcpt, notify, attempts, reason, last FROM recipient"
		" WHERE message = ? AND state = 'q' AND next <= ? ORDER BY n LIMIT ?",
	[SQL_BODY] = "SELECT chunk, size, state FROM message WHERE id = ?",
	[SQL_CHUNK] = "SELECT data FROM chunk WHERE id = ?",

	/* ---- settle */
	[SQL_SETTLE_FIND] =
		"SELECT m.state, m.chunk, m.size, m.unsent, m.failed, r.address, r.dsn, r.text, r.attempts"
		" FROM message m JOIN recipient r ON r.message = m.id AND r.n = ?2 WHERE m.id = ?1 AND r.state = 'q'",
	[SQL_RECIPIENT_SENT] = "DELETE FROM recipient WHERE message = ? AND n = ?",
	[SQL_RECIPIENT_MOVED] =
		"UPDATE recipient SET state = ?, attempts = attempts + ?, next = ?, last = ?, dsn = ?, text = ?,"
		" reason = ? WHERE message = ? AND n = ?",
	[SQL_MESSAGE_COUNTS] = "UPDATE message SET unsent = ?, failed = ? WHERE id = ?",
	[SQL_MESSAGE_DONE] = "UPDATE OR ROLLBACK message SET unsent = 0, failed = ?, state = ?, done = ? WHERE id = ?",
	[SQL_STILL_DUE] = "SELECT 1 FROM recipient WHERE message = ? AND state = 'q' AND next <= ? LIMIT 1",
	[SQL_FIRST_NEXT] = "SELECT min(next) FROM recipient WHERE message = ? AND state = 'q'",
	[SQL_SET_DUE] = "UPDATE message SET due = ? WHERE id = ?",
	[SQL_WARNED] = "UPDATE message SET flags = flags | 4 WHERE id = ? AND state IN ('q', 'h')",
	[SQL_NOTE_REASON] = "UPDATE recipient SET dsn = ?, text = ?, reason = ? WHERE message = ? AND state = 'q'",
	[SQL_EVENT_ADD] =
		"INSERT INTO event (id, time, message, kind, recipient, dsn, text, relay, reason)"
		" VALUES (?,?,?,?,?,?,?,?,?)",
	[SQL_HOUR_ADD] =
		"INSERT INTO hour (id, sent, failed)"
		" VALUES (?,?,?)"
		" ON CONFLICT (id) DO UPDATE SET sent = sent + excluded.sent, failed = failed + excluded.failed",
	[SQL_CHUNKS_DROP] = "DELETE FROM chunk WHERE id >= ? AND id < ?",

	/* ---- relay */
	[SQL_RELAY_GET] = "SELECT " RELAY_COLUMNS " FROM relay WHERE nexthop = ?",
	[SQL_RELAY_SET] = "INSERT OR REPLACE INTO relay (" RELAY_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_RELAY_AFTER] = "SELECT " RELAY_COLUMNS " FROM relay WHERE nexthop > ? ORDER BY nexthop LIMIT 1",
	[SQL_RELAY_FORGET] =
		"DELETE FROM relay WHERE nexthop IN (SELECT nexthop FROM relay r"
		" WHERE instr(nexthop, ' ') AND down_until = 0 AND last_ok < ?"
		" AND NOT EXISTS (SELECT 1 FROM pause WHERE relay = r.nexthop) LIMIT ?)",
	[SQL_PAUSES] = "SELECT since, until FROM pause WHERE relay = ? ORDER BY since, until LIMIT ?",
	[SQL_PAUSE_ADD] = "INSERT OR IGNORE INTO pause (relay, since, until) VALUES (?,?,?)",
	[SQL_PAUSES_FORGET] = "DELETE FROM pause WHERE relay = ?",

	/* ---- lists */
	[SQL_LIST_ROW] =
		"SELECT m.id, m.size, m.arrival, m.uid, m.state, m.sender,"
		" (SELECT text FROM word WHERE word.id = m.user)"
		" FROM message m WHERE m.id = ? AND m.state <> 'x'",
	[SQL_LIST_RECIPIENTS] =
		"SELECT n, address, original, state, attempts, next, last, dsn, text, reason FROM recipient"
		" WHERE message = ? AND n > ? ORDER BY n LIMIT ?",
	[SQL_LIST_SENT] =
		"SELECT e.id, e.recipient, e.time, e.dsn, e.text FROM event e"
		" WHERE e.message = ? AND e.kind = 1 AND e.id > ? ORDER BY e.id LIMIT ?",
	[SQL_TOTALS] = "SELECT state, messages, bytes, unasked FROM total",
	[SQL_OLDEST] = "SELECT arrival FROM message INDEXED BY message_state WHERE state = 'q' ORDER BY id LIMIT 1",
	[SQL_SIZES] = "SELECT uid, sum(size) FROM message WHERE state <> 'x' GROUP BY uid",
	[SQL_FIND] = "SELECT id FROM message WHERE id >= ? AND id <= ? ORDER BY id LIMIT 2",
	[SQL_EVENTS_OF] =
		"SELECT e.id, e.time, e.message, e.kind, e.recipient, e.dsn, e.text, w.text, e.reason FROM event e"
		" LEFT JOIN word w ON w.id = e.relay WHERE e.message = ? AND e.id > ? ORDER BY e.id LIMIT ?",
	[SQL_EVENTS_ALL] =
		"SELECT id, arrival, id, 0, NULL, NULL, sender, NULL, NULL FROM message WHERE id > ?1"
		" UNION ALL SELECT e.id, e.time, e.message, e.kind, e.recipient, e.dsn, e.text, w.text, e.reason"
		" FROM event e LEFT JOIN word w ON w.id = e.relay WHERE e.id > ?1 ORDER BY 1 LIMIT ?2",
	[SQL_QUEUED_OF] = "SELECT id, arrival, id, 0, NULL, NULL, sender, NULL, NULL FROM message WHERE id = ?",
	[SQL_HOURS] = "SELECT id, sent, failed FROM hour WHERE id > ? AND id <= ?",
	[SQL_COUNTERS] = "SELECT sum(sent), sum(failed) FROM hour WHERE id >= 0",

	/* ---- edits */
	[SQL_HOLD] = "UPDATE message SET state = 'h' WHERE id = ? AND state = 'q'",
	[SQL_RELEASE_MESSAGE] = "UPDATE message SET state = 'q', due = ? WHERE id = ? AND state = 'h'",
	[SQL_NOW_MESSAGE] = "UPDATE message SET due = ? WHERE id = ? AND state = 'q'",
	[SQL_NOW_RECIPIENTS] = "UPDATE recipient SET next = ? WHERE message = ? AND state = 'q'",
	[SQL_RETRY_FAILED] =
		"UPDATE recipient SET state = 'q', attempts = 0, next = ? WHERE message = ? AND state = 'f'",
	[SQL_RETRY_MESSAGE] =
		"UPDATE message SET state = 'q', due = ?, unsent = unsent + failed, failed = 0, done = NULL,"
		" flags = flags & ~4 WHERE id = ? AND state IN ('q', 'f')",
	[SQL_DELETE_FIND] = "SELECT chunk, size FROM message WHERE id = ? AND state IN ('q', 'h', 'f')",
	[SQL_DELETE_RECIPIENTS] = "DELETE FROM recipient WHERE message = ?",
	[SQL_DELETE_MESSAGE] = "UPDATE message SET state = 'x', unsent = 0, failed = 0, done = ? WHERE id = ?",
	[SQL_OLD_MESSAGE] =
		"SELECT id, chunk, size FROM message"
		" WHERE state = ? AND done IS NOT NULL AND done < ? ORDER BY done LIMIT 1",
	[SQL_FORGET_MESSAGE] = "DELETE FROM message WHERE id = ?",
	[SQL_FORGET_EVENTS] = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < ? ORDER BY id LIMIT ?)",
	[SQL_FOLD_HOURS] =
		"INSERT INTO hour (id, sent, failed) SELECT 0, sent, failed FROM hour WHERE id > 0 AND id < ?"
		" ON CONFLICT (id) DO UPDATE SET sent = sent + excluded.sent, failed = failed + excluded.failed",
	[SQL_FORGET_HOURS] = "DELETE FROM hour WHERE id > 0 AND id < ?",
	[SQL_PROOF] = "UPDATE proof SET opened = ? WHERE id = 1",

	/* ---- a clock that was wrong: now, uid, latest, epoch */
	[SQL_CORRECT_DUE_RECIPIENTS] =
		"UPDATE recipient SET next = ?1 WHERE state = 'q' AND next > ?3 AND message IN"
		" (SELECT id FROM message INDEXED BY message_due WHERE state = 'q' AND uid = ?2 AND due > ?3)"
		" AND (last > ?1 OR (SELECT arrival FROM message m WHERE m.id = recipient.message) > ?1)",
	[SQL_CORRECT_DUE] =
		"UPDATE message SET due = ?1 WHERE state = 'q' AND uid = ?2 AND due > ?3 AND EXISTS"
		" (SELECT 1 FROM recipient r WHERE r.message = message.id AND r.state = 'q' AND r.next <= ?1)",
	[SQL_CORRECT_AHEAD] = "UPDATE message SET arrival = ?1 WHERE id > ?2 AND arrival > ?1",
	[SQL_CORRECT_LONG_AGO] =
		"UPDATE message SET arrival = ?1 WHERE state = 'q' AND uid = ?2 AND due < ?3 AND arrival < ?3",
	[SQL_CORRECT_HELD] = "UPDATE message SET arrival = ?1 WHERE state = 'h' AND arrival < ?2",
	[SQL_CORRECT_DONE] = "UPDATE message SET done = ?1 WHERE state = ?2 AND done < ?3 AND done IS NOT NULL",
};
