/* Who controls a path: base/trust.h. As root, over directories and links of two other users. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files/trust.h"

enum { ANN = 54321, BOB = 54322 };

static char place[64];

static const char *in_place(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, PATH_MAX, "%s/%s", place, name);
	return p;
}

static void make_dir(const char *name, uid_t uid, mode_t mode)
{
	assert_int_equal(mkdir(in_place(name), 0700), 0);
	assert_int_equal(chmod(in_place(name), mode), 0);
	assert_int_equal(chown(in_place(name), uid, uid), 0);
	assert_int_equal(chmod(in_place(name), mode), 0);
}

static void make_file(const char *name, uid_t uid, const char *text)
{
	int fd = open(in_place(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchown(fd, uid, uid), 0);
	assert_int_equal(close(fd), 0);
}

static void make_link(const char *target, const char *name, uid_t uid)
{
	assert_int_equal(symlink(target, in_place(name)), 0);
	assert_int_equal(lchown(in_place(name), uid, uid), 0);
}

static int make_place(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	snprintf(place, sizeof(place), "/tmp/outpost-trust-XXXXXX");
	assert_non_null(mkdtemp(place));
	assert_int_equal(chmod(place, 0755), 0);
	make_dir("root", 0, 0755);
	make_file("root/file", 0, "root's");
	make_dir("ann", ANN, 0755);
	make_file("ann/file", ANN, "ann's");
	make_file("ann/roots", 0, "root's");
	make_dir("ann/bob", BOB, 0755);
	make_link("/etc/passwd", "ann/out", ANN);
	make_link("root/missing/file", "root-link", 0);
	make_link("root/file", "ann-link", ANN);
	make_link("root/file", "ann/../bob-link", BOB);
	make_link("loop", "loop", 0);
	make_link("/proc/self/cmdline", "proc", 0);
	make_dir("open", 0, 0777);
	make_file("open/file", 0, "x");
	make_dir("sticky", 0, 01777);
	make_file("sticky/file", 0, "x");
	assert_int_equal(link(in_place("root/file"), in_place("sticky/other-name")), 0);
	make_dir("group", 0, 0775);
	assert_int_equal(chown(in_place("group"), 0, ANN), 0);
	assert_int_equal(mkfifo(in_place("fifo"), 0600), 0);
	return 0;
}

static int remove_place(void **state)
{
	char command[100];

	(void)state;
	if (!place[0])
		return 0;
	snprintf(command, sizeof(command), "rm -rf %s", place);
	return system(command);
}

enum { REFUSED = -1 };

static void test_walk(void **state)
{
	static const struct {
		const char *path;
		int owner;
	} cases[] = {
		{"root", 0},		{"root/file", 0},	{"root/missing", 0},	{"ann", ANN},
		{"ann/file", ANN},	{"ann/roots", ANN},	{"ann/missing", ANN},	{"ann/out", ANN},
		{"root/../ann/file", ANN}, {"ann/../root/file", ANN}, {"ann-link", ANN}, {"bob-link", BOB},
		{"root-link", 0},
		{"ann/bob", REFUSED},	{"ann/bob/missing", REFUSED}, {"ann/none/at/all", ANN}, {"loop", REFUSED},
		{"proc", REFUSED},
		{"open/file", REFUSED},	{"group/missing", REFUSED}, {"fifo", REFUSED},	{"root/file/x", REFUSED},
		{"sticky/file", 0},	{"sticky/other-name", REFUSED}, {"missing/main.cf", 0},
		{"sticky/missing", REFUSED},
		{"root//./file", 0},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uid_t uid = 7;
		gid_t gid = 7;
		struct error err = {0};
		int rc = trust_walk(in_place(cases[i].path), &uid, &gid, &err);

		if ((rc < 0 ? REFUSED : (int)uid) != cases[i].owner)
			fail_msg("%s: %d, uid %d: %s", cases[i].path, rc, (int)uid, err.text);
		assert_true(rc == 0 || err.text[0]);
	}
}

static void test_relative(void **state)
{
	uid_t uid = 7;
	gid_t gid = 7;
	struct error err;
	int back;

	(void)state;
	if (geteuid() != 0)
		skip();
	back = open(".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(chdir(in_place("ann")), 0);
	assert_int_equal(trust_walk("file", &uid, &gid, &err), 0);
	assert_int_equal(uid, ANN);
	assert_int_equal(fchdir(back), 0);
	close(back);
}

/* As root in a child: what trust_become makes of it, as the exit status (owner % 100). */
static int become(const char *name)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err;

		if (trust_become(in_place(name), &err) < 0)
			_exit(99);
		_exit(getuid() == geteuid() && setresuid(0, 0, 0) < 0 ? (int)(geteuid() % 100)
		      : geteuid() == 0                                ? 0
								      : 98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_become(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(become("root/file"), 0);
	assert_int_equal(become("ann/file"), ANN % 100);
	assert_int_equal(become("ann/roots"), ANN % 100);
	assert_int_equal(become("open/file"), 99);
}

static void test_read(void **state)
{
	struct error err = {0};
	struct buf text;

	(void)state;
	if (geteuid() != 0)
		skip();
	buf_init(&text, 100);
	assert_int_equal(trust_read_file(in_place("root/file"), &text, &err), 0);
	assert_string_equal(buf_str(&text), "root's");
	buf_reset(&text);
	assert_int_equal(trust_read_file(in_place("ann/file"), &text, &err), 0);
	assert_string_equal(buf_str(&text), "ann's");
	buf_reset(&text);
	/* Root's file in ann's directory, which ann cannot read: nor is it read for her. */
	assert_int_equal(trust_read_file(in_place("ann/roots"), &text, &err), -1);
	assert_int_equal(err.reason, REASON_PERMISSION);
	assert_int_equal(text.len, 0);
	buf_free(&text);
	buf_init(&text, 3);
	assert_int_equal(trust_read_file(in_place("ann/file"), &text, &err), -1);
	assert_int_equal(err.reason, REASON_DATA);
	buf_free(&text);
}

/* As root: what root alone controls is read, and of the rest only what everybody may read. */
static void test_open(void **state)
{
	static const struct {
		const char *path;
		enum reason reason;
	} cases[] = {
		{"root/file", REASON_NONE},		{"ann/file", REASON_PERMISSION},
		{"ann/roots", REASON_PERMISSION},	{"ann-link", REASON_PERMISSION},
		{"ann/out", REASON_NONE},		{"ann/public", REASON_NONE},
		{"ann/closed/public", REASON_PERMISSION}, {"open/file", REASON_PERMISSION},
		{"sticky/other-name", REASON_PERMISSION}, {"proc", REASON_PERMISSION},
		{"fifo", REASON_PERMISSION},		{"root", REASON_NO_INPUT},
		{"root/missing", REASON_NO_INPUT},	{"ann/missing", REASON_NO_INPUT},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	make_file("ann/public", ANN, "x");
	make_dir("ann/closed", ANN, 0750);
	make_file("ann/closed/public", ANN, "x");
	assert_int_equal(chmod(in_place("ann/public"), 0604), 0);
	assert_int_equal(chmod(in_place("ann/closed/public"), 0604), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		int fd = trust_open(in_place(cases[i].path), &err);

		if ((fd < 0 ? err.reason : REASON_NONE) != cases[i].reason)
			fail_msg("%s: %d: %s", cases[i].path, fd, err.text);
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(trust_check(in_place("root/file"), &(struct error){0}), 0);
	assert_int_equal(trust_check(in_place("ann/file"), &(struct error){0}), -1);
}

/* Of a directory or a program of root's: Ann may write too, by its group or by an access control list. */
static void test_shared(void **state)
{
	static const unsigned char list[] = {
		2, 0, 0, 0,				/* version */
		1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,	/* the owner */
		2, 0, 7, 0, ANN & 0xff, ANN >> 8, 0, 0,	/* Ann */
		4, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,	/* the group */
		16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,	/* the mask */
		32, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,	/* others */
	};
	struct error err;
	uid_t uid;
	gid_t gid;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_dir("shared", 0, 0775);
	make_file("shared/file", 0, "x");
	assert_int_equal(trust_walk(in_place("shared/file"), &uid, &gid, &err), 0);
	if (setxattr(in_place("shared"), "system.posix_acl_access", list, sizeof(list), 0) == 0) {
		assert_int_equal(trust_walk(in_place("shared/file"), &uid, &gid, &err), -1);
		assert_int_equal(err.reason, REASON_PERMISSION);
	}
	make_file("root/program", 0, "x");
	assert_int_equal(trust_check(in_place("root/program"), &err), 0);
	assert_int_equal(chmod(in_place("root/program"), 0702), 0);
	assert_int_equal(trust_check(in_place("root/program"), &err), -1);
	assert_int_equal(chown(in_place("root/program"), 0, ANN), 0);
	assert_int_equal(chmod(in_place("root/program"), 0720), 0);
	assert_int_equal(trust_check(in_place("root/program"), &err), -1);
}

/* What somebody else named is read only if everybody may read it. */
static void test_everybodys(void **state)
{
	struct error err;
	struct buf text;

	(void)state;
	if (geteuid() != 0)
		skip();
	buf_init(&text, 100);
	make_file("root/closed", 0, "x");
	assert_int_equal(trust_read_public(in_place("root/closed"), &text, NULL, &err), 0);
	assert_int_equal(trust_read_everybodys(in_place("root/closed"), &text, &err), -1);
	assert_int_equal(chmod(in_place("root/closed"), 0644), 0);
	assert_int_equal(trust_read_everybodys(in_place("root/closed"), &text, &err), 0);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_become),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_everybodys),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
