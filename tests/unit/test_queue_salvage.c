/* queue/salvage.c: whichever page is damaged, what is not on it is saved. */
#include "config.h"
#include "tests/unit/queue_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { SALVAGE_MESSAGES = 120 };

static void copy_file(const char *from, const char *to)
{
	char command[500];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static void make_varied_queue(void)
{
	static char text[70000];
	char id[QUEUE_ID], full[QUEUE_ID];

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "Subject: x\n\n", 12);
	for (int i = 0; i < SALVAGE_MESSAGES; i++) {
		struct queue_new_recipient r[2] = {{.address = "a@example.net", .original = "a@example.net"},
						   {.address = "b@example.net", .original = "b@example.net"}};
		struct queue_new m = message((uint32_t)i % 3, r, 2);
		int64_t row;

		put_message(&m, text + (i % 40 ? sizeof(text) - 1000 : 0), id);
		assert_int_equal(queue_find(q, id, true, &row, full, &err), 1);
		settle(row, 1, (enum queue_fate)(QUEUE_SENT + i % 3));
		if (i % 10 == 0)
			assert_int_equal(queue_hold(q, row, NOW, &err), 1);
	}
}

static void damage_page(const char *path, long page)
{
	static unsigned char junk[600];
	int fd = open(path, O_WRONLY);

	memset(junk, 0xff, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), (page - 1) * 8192), sizeof(junk));
	close(fd);
}

static void count_lost(void *arg, const char *id, const char *recipients)
{
	assert_int_equal(strlen(id), 12);
	assert_true(strcmp(recipients, "") == 0 || strstr(recipients, "@example.net"));
	++*(uint64_t *)arg;
}

static void test_salvage(void **state)
{
	char path[200], good[200], kept[300];
	uint64_t told, most_lost = 0, done = 0;
	struct queue_totals t;
	struct queue_salvaged s;
	struct stat st;

	(void)state;
	make_varied_queue();
	assert_int_equal(queue_salvage(dir, NULL, NULL, &s, &err), 0);	/* sound */
	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	path_in(good, sizeof(good), "good.db");
	copy_file(path, good);
	assert_int_equal(stat(good, &st), 0);
	for (long page = 3; page <= st.st_size / 8192; page += page < 24 ? 1 : 15) {	/* then there are bodies */
		int rc;

		told = 0;
		copy_file(good, path);
		damage_page(path, page);
		rc = queue_salvage(dir, count_lost, &told, &s, &err);
		if (rc == 0)
			continue; /* the page is free */
		assert_int_equal(rc, 1);
		snprintf(kept, sizeof(kept), "%s/%s", dir, s.kept);
		assert_int_equal(unlink(kept), 0);
		snprintf(kept, sizeof(kept), "rm -rf '%s/%s'", dir, s.aside);
		assert_int_equal(system(kept), 0);
		assert_int_equal(queue_open(dir, QUEUE_WRITE, &q, &err), 0);
		assert_int_equal(queue_check(q, true, &err), 0);
		assert_int_equal(queue_totals(q, &t, &err), 0);
		assert_int_equal(t.queued + t.held + t.failed, s.saved);
		assert_int_equal(told, s.lost);
		assert_int_equal(s.saved + s.lost, SALVAGE_MESSAGES);
		most_lost = s.lost < SALVAGE_MESSAGES && s.lost > most_lost ? s.lost : most_lost;
		done += s.lost == 0;
		queue_close(q);
		q = NULL;
	}
	assert_true(done >= 10);	/* indexes and history cost nothing */
	assert_in_range(most_lost, 1, SALVAGE_MESSAGES - 1);
}

/* How many files there are whose names are so long, how many bytes they have; they go. */
static size_t count_texts(const char *aside, size_t name, uint64_t *bytes)
{
	char path[300], command[400];
	struct dirent *e;
	struct stat st;
	size_t n = 0;
	DIR *d;

	path_in(path, sizeof(path), aside);
	d = opendir(path);
	*bytes = 0;
	while (d && (e = readdir(d)) != NULL)
		if (strlen(e->d_name) == name + 4 && strcmp(e->d_name + name, ".eml") == 0) {
			assert_int_equal(fstatat(dirfd(d), e->d_name, &st, 0), 0);
			assert_int_equal(st.st_mode & 0777, 0600);
			*bytes += (uint64_t)st.st_size;
			n++;
		}
	if (d)
		closedir(d);
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
	return n;
}

/* The list of what is owed is gone, or that of whom it is for: what is owed is there as text. */
static void test_salvage_without_list(void **state)
{
	static const struct {
		const char *table;
		size_t name;
	} lists[] = {{"message", 6}, {"recipient", 12}};
	char path[200], good[200];
	long page[2];
	uint64_t owed, bytes, told;
	struct queue_totals t;
	struct queue_salvaged s;

	(void)state;
	make_varied_queue();
	assert_int_equal(queue_totals(q, &t, &err), 0);
	owed = t.queued + t.held + t.failed;
	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *st;

		assert_int_equal(sqlite3_prepare_v2(q->db, "SELECT rootpage FROM sqlite_master WHERE name = ?", -1, &st, NULL), SQLITE_OK);
		sqlite3_bind_text(st, 1, lists[i].table, -1, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		page[i] = (long)sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	queue_close(q);
	q = NULL;
	path_in(path, sizeof(path), "queue.db");
	path_in(good, sizeof(good), "good.db");
	copy_file(path, good);
	for (size_t i = 0; i < 2; i++) {
		told = 0;
		copy_file(good, path);
		damage_page(path, page[i]);
		assert_int_equal(queue_salvage(dir, count_lost, &told, &s, &err), 1);
		assert_int_equal(s.saved, 0);
		assert_int_equal(told, owed);
		assert_int_equal(s.texts, owed);
		assert_int_equal(count_texts(s.aside, lists[i].name, &bytes), owed);
		assert_int_equal(bytes, owed / 40 * 69999 + (owed - owed / 40) * 999);
		path_in(path, sizeof(path), s.kept);
		assert_int_equal(unlink(path), 0);
		path_in(path, sizeof(path), "queue.db");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(test_salvage),
		WITH_QUEUE(test_salvage_without_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
