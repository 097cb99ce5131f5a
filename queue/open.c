#include "config.h"
#include "queue/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "queue/schema_sql.h"

enum { SQLITE_HEAD = 100, AT_APPLICATION = 68, PATH_SIZE = 4096, BUSY_MS = 5000 };

/*
 * Opening changes nothing that is not ours. The head of the file is looked at before SQLite sees it: SQLite
 * would play back a foreign journal and set the file's mode. A new database is made under another name
 * and gets its own when it is whole, so a crash leaves either no queue or an empty one.
 */

static int read_head(const char *path, unsigned char head[SQLITE_HEAD], struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_sys(err, errno == EACCES ? REASON_PERMISSION : REASON_IO, "cannot open the queue %s",
				 path);
	got = io_read(fd, head, SQLITE_HEAD);
	close(fd);
	if (got < 0)
		return error_sys(err, REASON_IO, "cannot read the queue %s", path);
	if (got < SQLITE_HEAD || memcmp(head, "SQLite format 3", 16) != 0)
		return error_set(err, REASON_QUEUE_DAMAGED,
				 "%s is damaged or no queue at all; it was left as it is: restore it or move it away",
				 path);
	return 1;
}

/* 1: a queue of ours; 0: no file. */
static int look_at_file(const char *path, struct error *err)
{
	unsigned char head[SQLITE_HEAD];
	const unsigned char *at = head + AT_APPLICATION;
	int rc = read_head(path, head, err);

	if (rc <= 0)
		return rc;
	if ((at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]) != QUEUE_APPLICATION)
		return error_set(err, REASON_CONFIG, "%s is the database of another program; it was left as it is",
				 path);
	return 1;
}

/* Without its locks against threads and its statistics SQLite needs a tenth less for a verdict. Only before the first
 * database is opened; later it refuses, and all is well already. */
static void simplify(void)
{
	if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK)
		sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_database(struct queue *q, const char *path, int flags, struct error *err)
{
	simplify();
	if (sqlite3_open_v2(path, &q->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
		return db_fail(q, err, "cannot open the queue");
	/* A reader that closes last, or finds another version, must not write a checkpoint. */
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(q->db, BUSY_MS);
	return 0;
}

static int make_schema(const char *path, struct error *err)
{
	struct queue *q = calloc(1, sizeof(*q));
	int rc = -1;

	if (!q)
		return error_set(err, REASON_SYSTEM, "out of memory");
	if (open_database(q, path, SQLITE_OPEN_READWRITE, err) == 0 &&
	    db_exec(q, "PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=FULL;", err) == 0 &&
	    db_exec(q, "BEGIN;", err) == 0 && db_exec(q, schema_sql, err) == 0 && db_exec(q, "COMMIT;", err) == 0)
		rc = db_exec(q, "PRAGMA journal_mode=WAL;", err);
	if (q->db)
		sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	queue_close(q);
	return rc;
}

static void remove_database(const char *tmp)
{
	static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
	char path[PATH_SIZE + 16];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", tmp, ends[i]);
		unlink(path);
	}
}

static int make_database(const char *path, struct error *err)
{
	int fd;

	remove_database(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot make the queue %s", path);
	close(fd);
	return make_schema(path, err);
}

static int create(const char *dir, const char *path, struct error *err)
{
	char tmp[PATH_SIZE];
	int rc;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return error_set(err, REASON_CANNOT_CREATE, "the name of the queue directory is too long");
	rc = make_database(tmp, err);
	/* sqlite3_close says nothing about what it wrote: once more before the file gets its name. */
	if (rc == 0 && (io_sync(tmp) < 0 || rename(tmp, path) < 0 || io_sync(dir) < 0))
		rc = error_sys(err, REASON_CANNOT_CREATE, "cannot make a queue in %s", dir);
	if (rc < 0)
		remove_database(tmp);
	return rc;
}

static int check_version(struct queue *q, struct error *err)
{
	int64_t version;

	if (db_query(q, "PRAGMA user_version", &version, NULL, 0, err) < 0)
		return -1;
	if (version == QUEUE_VERSION)
		return 0;
	if (version > 0 && version < QUEUE_VERSION && q->writer)
		return db_migrate(q, version, err);
	if (version > 0 && version < QUEUE_VERSION)
		return error_set(err, REASON_TEMPORARY,
				 "the queue is of the older version %lld: outpostd carries it over when it starts",
				 (long long)version);
	return error_set(err, REASON_TEMPORARY,
			 "the queue is of version %lld, this program knows version %d; it was left as it is",
			 (long long)version, QUEUE_VERSION);
}

/* The flusher's first act: a commit. Where that fails, nothing may be sent. synchronous=EXTRA is FULL in WAL mode;
 * where a file system does not let SQLite have that, it syncs the directory once the rollback journal is gone, without
 * which a power cut would take a commit back. */
static int prepare_writer(struct queue *q, struct error *err)
{
	if (db_exec(q,
		    "PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA; PRAGMA journal_size_limit=33554432;"
		    "PRAGMA wal_autocheckpoint=2000;"
		    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096; PRAGMA secure_delete=OFF;",
		    err) < 0 ||
	    db_run(q, SQL_PROOF, err, "i", clock_wall_us()) < 0)
		return error_prefix(err, "the queue takes no commits");
	if (db_query(q, "SELECT max(ifnull((SELECT max(id) FROM message), 0), ifnull((SELECT max(id) FROM event), 0))",
			  &q->last_key, NULL, 0, err) < 0 ||
	    db_query(q, "SELECT ifnull(max(id), 0) + 1 FROM chunk", &q->next_chunk, NULL, 0, err) < 0)
		return -1;
	/* A clock that knows the year but is behind what is there was put right: no need to count on from it. */
	q->rewound = q->last_key > db_key_of(clock_wall_us()) && db_key_of(clock_wall_us()) > 0;
	if (q->rewound)
		q->last_key = 0;
	/* It is ours and sound: who closes it in order leaves no WAL that the next one has to play back first. */
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
}

static const char *const files[QUEUE_FILES] = {"queue.db", "queue.db-wal"};

static void remember_files(struct queue *q, const char *dir)
{
	char path[PATH_SIZE + 16];
	struct stat st;

	for (size_t i = 0; i < QUEUE_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (stat(path, &st) == 0) {
			q->files[i].dev = st.st_dev;
			q->files[i].ino = st.st_ino;
		}
	}
}

static int open_writer(struct queue *q, const char *dir, const char *path, struct error *err)
{
	q->writer = true;
	if (open_database(q, path, SQLITE_OPEN_READWRITE, err) < 0 || check_version(q, err) < 0 ||
	    prepare_writer(q, err) < 0)
		return -1;
	remember_files(q, dir);
	return 0;
}

/* SQLite writes on happily into a file that has no name any more. */
int queue_in_place(const struct queue *q, const char *dir, int lock, struct error *err)
{
	char path[PATH_SIZE + 16];
	struct stat st;

	for (size_t i = 0; i < QUEUE_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (q->files[i].ino &&
		    (stat(path, &st) < 0 || st.st_dev != q->files[i].dev || st.st_ino != q->files[i].ino))
			return error_set(err, REASON_TEMPORARY, "%s was removed or replaced while it was in use", path);
	}
	snprintf(path, sizeof(path), "%s/lock", dir);
	if (!lock_is_at(lock, path))
		return error_set(err, REASON_TEMPORARY, "%s was removed or replaced while it was in use", path);
	return 0;
}

/* Reading a WAL needs its index, which a reader must be able to make: so for writing, with writing forbidden; only
 * where that can't be, truly read-only. */
static int open_reader(struct queue *q, const char *path, struct error *err)
{
	int flags = access(path, W_OK) == 0 ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

	if (open_database(q, path, flags, err) < 0 || check_version(q, err) < 0)
		return -1;
	return db_exec(q, "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY;", err);
}

int queue_open(const char *dir, unsigned flags, struct queue **out, struct error *err)
{
	char path[PATH_SIZE];
	struct queue *q;
	int rc;

	if (snprintf(path, sizeof(path), "%s/queue.db", dir) >= (int)sizeof(path) - 16)
		return error_set(err, REASON_CONFIG, "the name of the queue directory is too long");
	rc = look_at_file(path, err);
	if (rc == 0 && !(flags & QUEUE_CREATE))
		rc = error_set(err, REASON_NO_INPUT, "there is no queue in %s yet", dir);
	else if (rc == 0)
		rc = create(dir, path, err);
	if (rc < 0)
		return -1;
	q = calloc(1, sizeof(*q));
	if (!q)
		return error_set(err, REASON_SYSTEM, "out of memory");
	rc = flags & (QUEUE_WRITE | QUEUE_CREATE) ? open_writer(q, dir, path, err) : open_reader(q, path, err);
	if (rc < 0) {
		queue_close(q);
		return -1;
	}
	*out = q;
	return 0;
}

void queue_close(struct queue *q)
{
	if (!q)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(q->statements[i]);
	sqlite3_close(q->db);
	free(q);
}

int queue_begin(struct queue *q, struct error *err)
{
	if (db_run(q, SQL_BEGIN, err, "") < 0)
		return -1;
	q->in_transaction = true;
	q->undone = false;
	q->touched = 0;
	return 0;
}

/* If it fails each read locks by itself, as without it. */
void queue_read_begin(struct queue *q)
{
	struct error ignored;

	if (!q->in_transaction)
		q->reading = db_run(q, SQL_READ_BEGIN, &ignored, "") >= 0;
}

void queue_read_end(struct queue *q)
{
	struct error ignored;

	if (q->reading && db_run(q, SQL_COMMIT, &ignored, "") < 0)
		db_run(q, SQL_ROLLBACK, &ignored, "");
	q->reading = false;
}

int queue_commit(struct queue *q, struct error *err)
{
	if (db_inside(q, err) < 0 || db_flush_touched(q, err) < 0 || db_run(q, SQL_COMMIT, err, "") < 0) {
		queue_rollback(q);
		return -1;
	}
	q->in_transaction = q->careful = false;
	return 0;
}

/* What a transaction wrote stays in the WAL when it is undone, and on a full disk this is what others need. As far as
 * nobody reads there, and without waiting for that. */
static void shrink_log(struct queue *q)
{
	struct error ignored;

	sqlite3_busy_timeout(q->db, 0);
	db_exec(q, "PRAGMA wal_checkpoint(TRUNCATE)", &ignored);
	sqlite3_busy_timeout(q->db, BUSY_MS);
}

void queue_rollback(struct queue *q)
{
	struct error ignored;

	if (!sqlite3_get_autocommit(q->db))
		db_run(q, SQL_ROLLBACK, &ignored, "");
	q->in_transaction = false;
	q->touched = 0;
	q->user.id = q->relay.id = 0; /* they may have been added in what is undone */
	if (q->full)
		shrink_log(q);
	q->full = false;
}

int db_end(struct queue *q, int rc, struct error *err)
{
	if (rc >= 0)
		return queue_commit(q, err) < 0 ? -1 : rc;
	queue_rollback(q);
	return -1;
}
