/*
 * salvage.c: a new database out of a damaged one. Whatever page is damaged, the others are found: which messages there are
 * is asked of every table and index that tells, from both ends, and each message is then copied by its key, or given up whole.
 */
#include "config.h"
#include "queue/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"

enum { GROUP = 500, PATH_SIZE = 4096, RECIPIENTS_SHOWN = 5 };

/* Key of a message, and whether it is still owed. */
static const char *const sources[] = {
	"SELECT id, state IN ('q', 'h', 'f') FROM message NOT INDEXED ORDER BY id",
	"SELECT id, state IN ('q', 'h', 'f') FROM message NOT INDEXED ORDER BY id DESC",
	"SELECT id, state IN ('q', 'h', 'f') FROM message INDEXED BY message_state WHERE state > '' ORDER BY state, id",
	"SELECT id, state IN ('q', 'h', 'f') FROM message INDEXED BY message_state WHERE state > '' ORDER BY state DESC, id DESC",
	"SELECT id, 1 FROM message INDEXED BY message_due WHERE state = 'q' ORDER BY uid, due, id",
	"SELECT id, 1 FROM message INDEXED BY message_due WHERE state = 'q' ORDER BY uid DESC, due DESC, id DESC",
	"SELECT message, 1 FROM recipient ORDER BY message, n",
	"SELECT message, 1 FROM recipient ORDER BY message DESC, n DESC",
};

/* Which bodies there are: the key of each piece, and how long it is. */
static const char *const pieces[] = {
	"SELECT id, length(data) FROM chunk ORDER BY id",
	"SELECT id, length(data) FROM chunk ORDER BY id DESC",
};
static const char orphans[] =
	"SELECT b.id, b.size, (SELECT id FROM temp.owner o WHERE o.chunk = b.id) FROM temp.piece b"
	" WHERE b.id > ?1 AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = b.id) ORDER BY b.id LIMIT 1";

/* What a message consists of: where it is read, and where it goes. */
enum { MESSAGE, RECIPIENTS, CHUNKS, PARTS };
static const struct {
	const char *from, *to;
} parts[PARTS] = {
	[MESSAGE] = {"SELECT * FROM message WHERE id = ?1 AND state IN ('q', 'h', 'f', 's', 'x')",
		     "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
	[RECIPIENTS] = {"SELECT * FROM recipient WHERE message = ?1", "INSERT INTO recipient VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"},
	[CHUNKS] = {"SELECT c.* FROM message m CROSS JOIN chunk c"
		    " WHERE m.id = ?1 AND c.id >= m.chunk AND c.id < m.chunk + (m.size + 65535) / 65536",
		    "INSERT INTO chunk VALUES (?,?)"},
};

static const char is_owed[] = "SELECT state IN ('q', 'h', 'f') FROM message WHERE id = ?1";
static const char is_whole[] =
	"SELECT m.unsent = (SELECT count(*) FROM recipient r WHERE r.message = m.id AND r.state = 'q')"
	" AND m.failed = (SELECT count(*) FROM recipient r WHERE r.message = m.id AND r.state = 'f')"
	" AND m.size = (SELECT ifnull(sum(length(c.data)), 0) FROM chunk c WHERE c.id >= m.chunk"
	" AND c.id < m.chunk + (m.size + 65535) / 65536) FROM message m WHERE m.id = ?1";

/* What is no mail, but good to have, as far as it can be read. */
static const struct {
	const char *from, *to;
} extras[] = {
	{"SELECT * FROM word", "INSERT OR IGNORE INTO word VALUES (?,?)"},
	{"SELECT * FROM event", "INSERT OR IGNORE INTO event VALUES (?,?,?,?,?,?,?,?,?)"},
	{"SELECT * FROM relay", "INSERT OR IGNORE INTO relay VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
	{"SELECT * FROM pause", "INSERT OR IGNORE INTO pause VALUES (?,?,?)"},
	{"SELECT * FROM hour", "INSERT OR IGNORE INTO hour VALUES (?,?,?)"},
};
static const char name_users[] = "INSERT OR IGNORE INTO word (id, text) SELECT user, 'uid ' || uid FROM message GROUP BY user";

/* Two connections: what fails in the old database does nothing to a transaction of the new one. */
struct salvage {
	struct queue *old, *q;
	queue_lost lost;
	void *arg;
	struct queue_salvaged *out;
	sqlite3_stmt *from[PARTS], *to[PARTS], *owed, *whole, *names, *chunk, *owner;
	const char *dir;
};

static sqlite3_stmt *prepare(struct queue *q, const char *sql)
{
	sqlite3_stmt *st = NULL;

	return sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) == SQLITE_OK ? st : NULL;
}

/* The first column of the first row: a number above 0. */
static bool says_yes(sqlite3_stmt *st, int64_t id)
{
	bool yes;

	sqlite3_bind_int64(st, 1, id);
	yes = sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int64(st, 0) > 0;
	sqlite3_reset(st);
	return yes;
}

/* Rows as they are, up to the first damaged page: how many, or -1 if that came first, or they were not taken. */
static int copy_rows(sqlite3_stmt *from, sqlite3_stmt *to)
{
	int rc, n = 0;

	while ((rc = sqlite3_step(from)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(from); i++)
			sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
		rc = sqlite3_step(to);
		sqlite3_reset(to);
		if (rc != SQLITE_DONE)
			break;
		n++;
	}
	sqlite3_reset(from);
	return rc == SQLITE_DONE ? n : -1;
}

static int copy(struct salvage *s, size_t part, int64_t id)
{
	sqlite3_bind_int64(s->from[part], 1, id);
	return copy_rows(s->from[part], s->to[part]);
}

/* ---- which messages there are */

/* Two numbers of each row of the old database into the new one. */
static void ask_source(struct salvage *s, const char *sql, sqlite3_stmt *found)
{
	sqlite3_stmt *st = prepare(s->old, sql);

	/* until its end, or the first damaged page */
	while (st && sqlite3_step(st) == SQLITE_ROW) {
		sqlite3_bind_int64(found, 1, sqlite3_column_int64(st, 0));
		sqlite3_bind_int64(found, 2, sqlite3_column_int64(st, 1));
		sqlite3_step(found);
		sqlite3_reset(found);
	}
	sqlite3_finalize(st);
}

static int find_messages(struct salvage *s, struct error *err)
{
	sqlite3_stmt *found;

	if (db_exec(s->q, "CREATE TEMP TABLE found (id INTEGER PRIMARY KEY, owed INTEGER);"
			  "CREATE TEMP TABLE piece (id INTEGER PRIMARY KEY, size INTEGER);"
			  "CREATE TEMP TABLE owner (chunk INTEGER PRIMARY KEY, id INTEGER)", err) < 0)
		return -1;
	found = prepare(s->q, "INSERT INTO found VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET owed = max(owed, excluded.owed)");
	if (!found)
		return db_fail(s->q, err, "queue");
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		ask_source(s, sources[i], found);
	sqlite3_finalize(found);
	return 0;
}

/* ---- one message */

static bool copy_whole(struct salvage *s, int64_t id)
{
	if (copy(s, MESSAGE, id) != 1)
		return false;
	return !says_yes(s->owed, id) || (copy(s, RECIPIENTS, id) > 0 && copy(s, CHUNKS, id) >= 0 && says_yes(s->whole, id));
}

static void tell_lost(struct salvage *s, int64_t id)
{
	char text[QUEUE_ID], names[RECIPIENTS_SHOWN * 64] = "";
	size_t n = 0;

	db_id_of(id, text);
	sqlite3_bind_int64(s->names, 1, id);
	while (sqlite3_step(s->names) == SQLITE_ROW && n + 1 < sizeof(names)) {
		int more = snprintf(names + n, sizeof(names) - n, "%s%.60s", n ? ", " : "", (const char *)sqlite3_column_text(s->names, 0));

		n += more > 0 ? (size_t)more : 0;
	}
	sqlite3_reset(s->names);
	s->out->lost++;
	if (s->lost)
		s->lost(s->arg, text, names);
}

/* Whose text begins at which piece, if that can be read still. */
static void note_owner(struct salvage *s, int64_t id)
{
	sqlite3_bind_int64(s->chunk, 1, id);
	if (sqlite3_step(s->chunk) == SQLITE_ROW) {
		sqlite3_bind_int64(s->owner, 1, sqlite3_column_int64(s->chunk, 0));
		sqlite3_bind_int64(s->owner, 2, id);
		sqlite3_step(s->owner);
		sqlite3_reset(s->owner);
	}
	sqlite3_reset(s->chunk);
}

/* -1: the new database takes nothing. */
static int copy_message(struct salvage *s, int64_t id, bool owed, struct error *err)
{
	if (db_exec(s->q, "SAVEPOINT one", err) < 0)
		return -1;
	if (copy_whole(s, id)) {
		s->out->saved += says_yes(s->owed, id);
		return db_exec(s->q, "RELEASE one", err);
	}
	if ((sqlite3_errcode(s->q->db) & 0xFF) == SQLITE_FULL)
		return db_fail(s->q, err, "the new queue");
	if (owed)
		tell_lost(s, id);
	if (db_exec(s->q, "ROLLBACK TO one; RELEASE one", err) < 0)
		return -1;
	note_owner(s, id);
	return 0;
}

static int copy_messages(struct salvage *s, struct error *err)
{
	sqlite3_stmt *st = prepare(s->q, "SELECT id, owed FROM temp.found WHERE id > ?1 ORDER BY id LIMIT 500");
	int64_t last = INT64_MIN;
	int rc = st ? 0 : db_fail(s->q, err, "queue"), n = GROUP;

	while (rc == 0 && n == GROUP) {
		sqlite3_bind_int64(st, 1, last);
		rc = db_exec(s->q, "BEGIN", err);
		for (n = 0; rc == 0 && sqlite3_step(st) == SQLITE_ROW; n++) {
			last = sqlite3_column_int64(st, 0);
			rc = copy_message(s, last, sqlite3_column_int(st, 1), err);
		}
		sqlite3_reset(st);
		if (rc == 0)
			rc = db_exec(s->q, "COMMIT", err);
	}
	sqlite3_finalize(st);
	return rc;
}

/* ---- all of it */

static int prepare_all(struct salvage *s, struct error *err)
{
	for (size_t i = 0; i < PARTS; i++) {
		s->from[i] = prepare(s->old, parts[i].from);
		if (!s->from[i])
			return db_fail(s->old, err, "queue");
		s->to[i] = prepare(s->q, parts[i].to);
		if (!s->to[i])
			return db_fail(s->q, err, "queue");
	}
	s->names = prepare(s->old, "SELECT address FROM recipient WHERE message = ?1 ORDER BY n LIMIT 5");
	s->chunk = prepare(s->old, "SELECT chunk FROM message WHERE id = ?1 AND size > 0");
	if (!s->names || !s->chunk)
		return db_fail(s->old, err, "queue");
	s->owner = prepare(s->q, "INSERT OR IGNORE INTO temp.owner VALUES (?1, ?2)");
	s->owed = prepare(s->q, is_owed);
	s->whole = prepare(s->q, is_whole);
	return s->owner && s->owed && s->whole ? 0 : db_fail(s->q, err, "queue");
}

static void finalize_all(struct salvage *s)
{
	for (size_t i = 0; i < PARTS; i++) {
		sqlite3_finalize(s->from[i]);
		sqlite3_finalize(s->to[i]);
	}
	sqlite3_finalize(s->owed);
	sqlite3_finalize(s->whole);
	sqlite3_finalize(s->names);
	sqlite3_finalize(s->chunk);
	sqlite3_finalize(s->owner);
}

/* ---- the texts that no message has */

static int find_pieces(struct salvage *s, struct error *err)
{
	sqlite3_stmt *st = prepare(s->q, "INSERT OR IGNORE INTO temp.piece VALUES (?1, ?2)");

	if (!st)
		return db_fail(s->q, err, "queue");
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		ask_source(s, pieces[i], st);
	sqlite3_finalize(st);
	return 0;
}

/* One piece, if it can be read. */
static int write_piece(struct salvage *s, int fd, int64_t id, struct error *err)
{
	sqlite3_stmt *st = prepare(s->old, "SELECT data FROM chunk WHERE id = ?1");
	int rc = 0;

	if (!st)
		return db_fail(s->old, err, "queue");
	sqlite3_bind_int64(st, 1, id);
	if (sqlite3_step(st) == SQLITE_ROW &&
	    io_write_all(fd, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), DEADLINE_NEVER) < 0)
		rc = -1;
	sqlite3_finalize(st);
	return rc;
}

static int open_text(struct salvage *s, int64_t owner, struct error *err)
{
	char path[PATH_SIZE], id[QUEUE_ID];
	int fd;

	if (owner)
		db_id_of(owner, id);
	else
		snprintf(id, sizeof(id), "%06llu", (unsigned long long)s->out->texts + 1);
	if (s->out->texts++ == 0) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, s->out->aside);
		if (mkdir(path, 0700) < 0)
			return error_sys(err, EX_CANTCREAT, "4.3.0", "cannot make %s", path);
	}
	snprintf(path, sizeof(path), "%s/%s/%s.eml", s->dir, s->out->aside, id);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? error_sys(err, EX_CANTCREAT, "4.3.0", "cannot make %s", path) : fd;
}

static int close_text(struct salvage *s, int fd, struct error *err)
{
	if (fd >= 0 && close(fd) < 0)
		return error_sys(err, EX_IOERR, "4.3.0", "cannot write to %s/%s", s->dir, s->out->aside);
	return 0;
}

/* A piece that is not full ends its text, and so does one that nobody's next piece follows. */
static int write_texts(struct salvage *s, struct error *err)
{
	sqlite3_stmt *st = prepare(s->q, orphans);
	int64_t last = INT64_MIN;
	bool goes_on = false;
	int fd = -1, rc = st ? 0 : db_fail(s->q, err, "queue");

	for (; rc == 0 && (sqlite3_bind_int64(st, 1, last), sqlite3_step(st)) == SQLITE_ROW; sqlite3_reset(st)) {
		int64_t id = sqlite3_column_int64(st, 0), owner = sqlite3_column_int64(st, 2);

		if (!goes_on || id != last + 1 || owner)
			fd = close_text(s, fd, err) < 0 ? -1 : open_text(s, owner, err);
		rc = fd < 0 ? -1 : write_piece(s, fd, id, err);
		if (fd >= 0 && rc < 0)
			error_sys(err, EX_IOERR, "4.3.0", "cannot write to %s/%s", s->dir, s->out->aside);
		goes_on = sqlite3_column_int64(st, 1) == LIMIT_CHUNK;
		last = id;
	}
	sqlite3_finalize(st);
	if (rc < 0) {
		struct error ignored;

		close_text(s, fd, &ignored);
		return -1;
	}
	return close_text(s, fd, err);
}

static int save_texts(struct salvage *s, struct error *err)
{
	if (!s->out->lost)
		return 0;
	return find_pieces(s, err) < 0 ? -1 : write_texts(s, err);
}

static int copy_extras(struct salvage *s, struct error *err)
{
	if (db_exec(s->q, "BEGIN", err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
		sqlite3_stmt *from = prepare(s->old, extras[i].from), *to = prepare(s->q, extras[i].to);

		if (from && to)
			copy_rows(from, to);
		sqlite3_finalize(from);
		sqlite3_finalize(to);
	}
	return db_exec(s->q, name_users, err) < 0 ? -1 : db_exec(s->q, "COMMIT", err);
}

/* What is in the WAL goes into the database itself, so that the one file is all there is of it. */
static int empty_wal(struct queue *q, struct error *err)
{
	if (sqlite3_wal_checkpoint_v2(q->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
		return db_fail(q, err, "queue");
	return 0;
}

static int fill(struct salvage *s, struct error *err)
{
	struct error ignored;
	int rc;

	if (db_exec(s->q, "PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY", err) < 0)
		return -1;
	db_exec(s->old, "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY", &ignored);
	rc = find_messages(s, err);
	if (rc == 0)
		rc = prepare_all(s, err);
	if (rc == 0)
		rc = copy_messages(s, err);
	if (rc == 0)
		rc = save_texts(s, err);
	finalize_all(s);
	if (rc == 0 && (copy_extras(s, err) < 0 || empty_wal(s->q, err) < 0 || queue_check(s->q, true, err) != 0))
		rc = -1;
	return rc;
}

static int choose_names(struct queue_salvaged *out, struct error *err)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(out->kept, sizeof(out->kept), "queue.db.damaged-%Y%m%dT%H%M%SZ", &tm))
		return error_set(err, EX_OSERR, "4.3.0", "no time of day");
	snprintf(out->aside, sizeof(out->aside), "%s.lost", out->kept);
	return 0;
}

/* The new one gets the name in one step; until then everything is as it was. */
static int swap(const char *dir, const char *old, const char *new, const struct queue_salvaged *out, struct error *err)
{
	char kept[PATH_SIZE + 64], shm[PATH_SIZE + 8];

	snprintf(kept, sizeof(kept), "%s/%s", dir, out->kept);
	snprintf(shm, sizeof(shm), "%s-shm", old);
	if (io_sync(new) < 0 || link(old, kept) < 0 || io_sync(dir) < 0)
		return error_sys(err, EX_CANTCREAT, "4.3.0", "cannot keep the old queue as %s", kept);
	unlink(shm); /* who reads the old one still has it open */
	if (rename(new, old) < 0 || io_sync(dir) < 0)
		return error_sys(err, EX_CANTCREAT, "4.3.0", "cannot put the new queue in its place");
	return 0;
}

/* 1 with the old one open: it is damaged. */
static int open_old(const char *path, struct queue **q, struct error *err)
{
	int rc = db_open_file(path, q, err);

	if (rc == 0)
		rc = queue_check(*q, true, err);
	if (rc == 1 && empty_wal(*q, err) < 0)
		rc = -1;
	if (rc <= 0)
		queue_close(*q);
	return rc;
}

int queue_salvage(const char *dir, queue_lost lost, void *arg, struct queue_salvaged *out, struct error *err)
{
	struct salvage s = {.lost = lost, .arg = arg, .out = out, .dir = dir};
	char old[PATH_SIZE], new[PATH_SIZE + 16];
	int rc;

	*out = (struct queue_salvaged){0};
	if (snprintf(old, sizeof(old), "%s/queue.db", dir) >= (int)sizeof(old))
		return error_set(err, EX_CONFIG, "4.3.0", "the name of the queue directory is too long");
	snprintf(new, sizeof(new), "%s.salvaged", old);
	rc = open_old(old, &s.old, err);
	if (rc <= 0)
		return rc;
	rc = choose_names(out, err) < 0 || db_make_file(new, err) < 0 || db_open_file(new, &s.q, err) < 0 ? -1 : fill(&s, err);
	queue_close(s.q);
	queue_close(s.old);
	if (rc == 0)
		rc = swap(dir, old, new, out, err);
	db_remove_file(new);
	return rc < 0 ? -1 : 1;
}
