/* queue/open.c, queue/lock.c, queue/integrity.c: opening, also what is not a sound queue of ours. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>

static void write_file(const char *name, const char *p, size_t n)
{
	char path[100];
	FILE *f;

	path_in(path, sizeof(path), name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void assert_refused(int code)
{
	static const unsigned flags[] = {QUEUE_READ, QUEUE_WRITE, QUEUE_WRITE | QUEUE_CREATE};
	struct buf before, after;

	slurp("queue.db", &before);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(queue_open(dir, flags[i], &q, &err), -1);
		assert_int_equal(error_exit(&err), code);
	}
	slurp("queue.db", &after);
	assert_int_equal(before.len, after.len);
	if (before.len)
		assert_memory_equal(before.data, after.data, before.len);
	buf_free(&before);
	buf_free(&after);
}

static void test_no_queue(void **state)
{
	(void)state;
	assert_int_equal(queue_open(dir, QUEUE_READ, &q, &err), -1);
	assert_int_equal(error_exit(&err), EX_NOINPUT);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), -1);
}

static void test_rubbish(void **state)
{
	(void)state;
	write_file("queue.db", "this is no database", 19);
	assert_refused(EX_DATAERR);
	write_file("queue.db", "", 0);
	assert_refused(EX_DATAERR);
}

static void test_foreign(void **state)
{
	(void)state;
	run_sql("CREATE TABLE cats (name TEXT); INSERT INTO cats VALUES ('Tom')");
	assert_refused(EX_CONFIG);
}

static void test_other_version(void **state)
{
	(void)state;
	queue_close(q);
	q = NULL;
	run_sql("PRAGMA user_version = 99");
	assert_refused(EX_TEMPFAIL);
}

static void test_damaged(void **state)
{
	char id[QUEUE_ID], path[100], junk[8192];
	struct queue_totals t;
	int fd;

	(void)state;
	for (int i = 0; i < 50; i++)
		put_one(1, NOW, id);
	sqlite3_wal_checkpoint(q->db, NULL);
	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	fd = open(path, O_WRONLY);
	memset(junk, 0xEE, sizeof(junk));
	for (int page = 2; page < 12; page++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 8192), sizeof(junk));
	close(fd);
	path_in(path, sizeof(path), "queue.db-wal");
	unlink(path);
	if (queue_open(dir, QUEUE_WRITE, &q, &err) == 0) {
		assert_int_equal(queue_check(q, &err), 1);
		assert_true(queue_totals(q, &t, &err) <= 0);
	}
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(access(path, F_OK), 0);
}

static void test_modes_and_pragmas(void **state)
{
	char path[100];
	struct stat st;
	sqlite3_stmt *p;

	(void)state;
	path_in(path, sizeof(path), "queue.db");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	path_in(path, sizeof(path), "queue.db-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sqlite3_prepare_v2(q->db,
					    "SELECT * FROM pragma_page_size, pragma_auto_vacuum, pragma_journal_mode,"
					    " pragma_synchronous",
					    -1, &p, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(p), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(p, 0), 8192);
	assert_int_equal(sqlite3_column_int(p, 1), 2);
	assert_string_equal((const char *)sqlite3_column_text(p, 2), "wal");
	assert_int_equal(sqlite3_column_int(p, 3), 3);
	sqlite3_finalize(p);
}

static void test_reader_beside_writer(void **state)
{
	struct queue *reader, *writer = q;
	struct queue_totals t;
	char id[QUEUE_ID];

	(void)state;
	assert_int_equal(queue_open(dir, QUEUE_READ, &reader, &err), 0);
	put_one(1, NOW, id);
	assert_int_equal(queue_totals(reader, &t, &err), 0);
	assert_int_equal(t.queued, 1);
	assert_int_equal(queue_hold(reader, 1, NOW, &err), -1);
	q = reader;
	queue_close(q);
	q = writer;
	put_one(1, NOW, id);
}

static void test_opens_again(void **state)
{
	char id[QUEUE_ID], other[QUEUE_ID];
	int64_t a = put_one(1, NOW, id), b;
	struct queue_totals t;

	(void)state;
	queue_close(q);
	assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
	assert_int_equal(queue_totals(q, &t, &err), 0);
	assert_int_equal(t.queued, 1);
	b = put_one(1, NOW, other);
	assert_true(b != a);
	assert_sound();
}

static void test_no_statement_stays_open(void **state)
{
	char id[QUEUE_ID], full[QUEUE_ID];
	int64_t r = put_one(7, NOW, id), key = 0, row;
	struct queue_filter f = {0};
	struct queue_row rows[1];
	struct queue_event e[1];
	struct queue_message m;

	(void)state;
	put_one(7, NOW, id);
	settle(r, 1, QUEUE_FAILED);
	assert_int_equal(queue_list(q, &f, &key, rows, 1, &err), 1);
	queue_row_free(&rows[0]);
	key = 0;
	assert_int_equal(queue_events(q, NULL, &key, e, 1, &err), 1);
	queue_event_free(&e[0]);
	assert_int_equal(queue_find(q, "0", false, &row, full, &err) >= 0, 1);
	queue_fetch(q, r, NOW, true, 1, &m, &err);
	assert_null(sqlite3_next_stmt(q->db, NULL) && sqlite3_stmt_busy(sqlite3_next_stmt(q->db, NULL)) ? q : NULL);
	for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(q->db, st));)
		assert_false(sqlite3_stmt_busy(st));
}

static void test_lock(void **state)
{
	int fd = queue_lock(dir, 0, &err), second;
	pid_t pid;
	int status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	second = queue_lock(dir, 30, &err);
	assert_int_equal(second, -1);
	assert_int_equal(error_exit(&err), EX_TEMPFAIL);
	assert_non_null(strstr(err.text, "a flusher is at work"));
	/* An agent that inherited it holds it on. */
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_int_equal(queue_lock(dir, 0, &err), -1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fd = queue_lock(dir, 1000, &err);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(test_no_queue),
		WITH_DIR(test_rubbish),
		WITH_DIR(test_foreign),
		WITH_QUEUE(test_other_version),
		WITH_QUEUE(test_damaged),
		WITH_QUEUE(test_modes_and_pragmas),
		WITH_QUEUE(test_reader_beside_writer),
		WITH_QUEUE(test_opens_again),
		WITH_QUEUE(test_no_statement_stays_open),
		WITH_DIR(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
