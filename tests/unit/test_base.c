/* The base room: buffers, text, frames, files, sockets, processes. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/files/fs.h"
#include "base/frame.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/person.h"
#include "base/process/proc.h"
#include "base/process/sandbox.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "base/text/text.h"

static void buffer_keeps_its_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "0123456789"), 0);
	assert_true(buf_ok(&b));
	assert_int_equal(buf_addc(&b, 'x'), -1);
	assert_false(buf_ok(&b));
	assert_string_equal(buf_str(&b), "0123456789");
	assert_int_equal(buf_adds(&b, ""), -1); /* the failure sticks */
	buf_reset(&b);
	assert_int_equal(buf_addf(&b, "%d-%s", 12, "abc"), 0);
	assert_string_equal(buf_str(&b), "12-abc");
	assert_int_equal(buf_addf(&b, "%s", "too long for it"), -1);
	assert_string_equal(buf_str(&b), "12-abc");
	buf_free(&b);
	buf_free(&b);
}

static void buffer_refuses_sizes_that_wrap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_adds(&b, "abc"), 0);
	assert_null(buf_room(&b, SIZE_MAX));
	buf_reset(&b);
	assert_null(buf_room(&b, SIZE_MAX - 2));
	buf_wipe(&b);
}

static void buffer_drops_and_cuts(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add(&b, "a\0bcdef", 7);
	buf_drop(&b, 2);
	assert_string_equal(buf_str(&b), "bcdef");
	buf_cut(&b, 3);
	assert_string_equal(buf_str(&b), "bcd");
	buf_cut(&b, 99);
	buf_drop(&b, 99);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void numbers_are_strict(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(text_u64(span_of("0"), 10, &v) && v == 0);
	assert_true(text_u64(span_of("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
	assert_false(text_u64(span_of("18446744073709551616"), UINT64_MAX, &v));
	assert_false(text_u64(span_of("11"), 10, &v));
	assert_false(text_u64(span_of("5"), 3, &v));
	assert_false(text_u64(span_of(""), 10, &v));
	assert_false(text_u64(span_of("-1"), 10, &v));
	assert_false(text_u64(span_of(" 1"), 10, &v));
	assert_false(text_u64(span_of("1x"), 100, &v));
}

static void words_and_spans(void **state)
{
	struct span rest = span_of(" a, bb,,c "), w;

	(void)state;
	assert_true(span_word(&rest, ", ", &w) && span_is(w, "a"));
	assert_true(span_word(&rest, ", ", &w) && span_is(w, "bb"));
	assert_true(span_word(&rest, ", ", &w) && span_is(w, "c"));
	assert_false(span_word(&rest, ", ", &w));
	/* a NUL byte is never a separator, though strchr finds one at the end of every string */
	rest = (struct span){"a\0b", 3};
	assert_true(span_word(&rest, ", ", &w) && w.n == 3);
	assert_true(span_is(span_trim(span_of(" \t x y\r\n")), "x y"));
	assert_true(span_iscase(span_of("StartTLS"), "STARTTLS"));
	assert_false(span_iscase(span_of("StartTL"), "STARTTLS"));
	assert_null(span_dup((struct span){"a\0b", 3}));
	assert_true(ascii_case_prefix("Subject: x", "SUBJECT:"));
	assert_false(ascii_case_prefix("Sub", "SUBJECT:"));
}

static void foreign_bytes_become_printable(void **state)
{
	char text[32];
	struct buf b;

	(void)state;
	snprintf(text, sizeof(text), "a\tb\r\nc\x7f\xff z");
	text_clean(text);
	assert_string_equal(text, "a?b??c?? z");
	snprintf(text, sizeof(text), "gr\xc3\xbc\xc3"); /* cut in the middle of a letter */
	text_clean(text);
	assert_string_equal(text, "gr\xc3\xbc");
	buf_init(&b, 1000);
	text_printable(&b, "\x1b[31mx\0\xc0\x80", 9, 100);
	assert_string_equal(buf_str(&b), "?[31mx???");
	buf_reset(&b);
	text_printable(&b, "a\xc2\x9b" "2J\xc2\xa0", 7, 100); /* U+009B is ESC [ to a terminal */
	assert_string_equal(buf_str(&b), "a?2J\xc2\xa0");
	buf_reset(&b);
	text_json(&b, "\xc2\x9b", 2);
	assert_string_equal(buf_str(&b), "\\u009b");
	buf_reset(&b);
	snprintf(text, sizeof(text), "%s", "a\xc2\x9b" "2J");
	text_clean(text);
	assert_string_equal(text, "a??2J");
	text_printable(&b, "0123456789", 10, 8);
	assert_string_equal(buf_str(&b), "01234...");
	buf_reset(&b);
	text_json(&b, "a\"\\\n\x01\xff", 6);
	assert_string_equal(buf_str(&b), "a\\\"\\\\\\n\\u0001\\ufffd");
	buf_free(&b);
}

static void utf8_is_checked(void **state)
{
	(void)state;
	assert_true(text_utf8("gr\xc3\xbc\xc3\x9f", 6));
	assert_false(text_utf8("\xc0\xaf", 2));		/* overlong */
	assert_false(text_utf8("\xed\xa0\x80", 3));	/* surrogate */
	assert_false(text_utf8("\xf4\x90\x80\x80", 4));	/* beyond U+10FFFF */
	assert_false(text_utf8("\xe2\x82", 2));		/* cut */
	assert_true(text_8bit("\x80", 1));
	assert_false(text_8bit("abc", 3));
}

static void base64_there_and_back(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {
		"Z", "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm 9", "Zg==Zg=="};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		buf_reset(&b);
		assert_int_equal(base64_encode(&b, pairs[i][0], strlen(pairs[i][0])), 0);
		assert_string_equal(buf_str(&b), pairs[i][1]);
		buf_reset(&b);
		assert_int_equal(base64_decode(&b, pairs[i][1], strlen(pairs[i][1])), 0);
		assert_string_equal(buf_str(&b), pairs[i][0]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_reset(&b);
		assert_int_equal(base64_decode(&b, bad[i], strlen(bad[i])), -1);
	}
	buf_free(&b);
}

static void frames_there_and_back(void **state)
{
	struct buf b;
	struct frame f;
	char word[8];
	size_t mark, used = 0;

	(void)state;
	buf_init(&b, 1000);
	mark = frame_begin(&b, 9);
	frame_u8(&b, 200);
	frame_u32(&b, 0xDEADBEEF);
	frame_i64(&b, -5);
	frame_str(&b, "a\0b", 3);
	frame_cstr(&b, "word");
	frame_finish(&b, mark);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(frame_parse((struct span){b.data, n}, &f, &used), 0);
	assert_int_equal(frame_parse((struct span){b.data, b.len}, &f, &used), 1);
	assert_int_equal(used, b.len);
	assert_int_equal(f.type, 9);
	assert_int_equal(frame_get_u8(&f), 200);
	assert_int_equal(frame_get_u32(&f), 0xDEADBEEF);
	assert_true(frame_get_i64(&f) == -5);
	assert_int_equal(frame_get_str(&f).n, 3);
	assert_false(frame_end(&f));
	frame_get_cstr(&f, word, sizeof(word));
	assert_string_equal(word, "word");
	assert_true(frame_end(&f));
	frame_get_u8(&f);
	assert_false(frame_end(&f));
	buf_free(&b);
}

static void frames_that_lie_are_bad(void **state)
{
	static const char huge[] = {1, 0x7f, 0, 0, 0};
	struct buf b;
	struct frame f;
	char word[4];
	size_t used, mark;

	(void)state;
	assert_int_equal(frame_parse((struct span){huge, 5}, &f, &used), -1);
	buf_init(&b, 1000);
	mark = frame_begin(&b, 1);
	frame_u32(&b, 0xFFFFFFFF); /* a string length far beyond the payload */
	frame_finish(&b, mark);
	assert_int_equal(frame_parse((struct span){b.data, b.len}, &f, &used), 1);
	assert_int_equal(frame_get_str(&f).n, 0);
	assert_false(frame_end(&f));
	buf_reset(&b);
	mark = frame_begin(&b, 1);
	frame_cstr(&b, "four");
	frame_finish(&b, mark);
	assert_int_equal(frame_parse((struct span){b.data, b.len}, &f, &used), 1);
	frame_get_cstr(&f, word, sizeof(word)); /* no room for the NUL */
	assert_false(frame_end(&f));
	buf_free(&b);
}

static void errors_carry_their_text(void **state)
{
	struct error e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(error_sys(&e, REASON_NO_INPUT, "cannot open %s", "x\ny"), -1);
	assert_string_equal(e.text, "cannot open x?y: No such file or directory");
	assert_int_equal(error_exit(&e), EX_NOINPUT);
	error_prefix(&e, "main.cf");
	assert_string_equal(e.text, "main.cf: cannot open x?y: No such file or directory");
	error_set(&e, REASON_NONE, "%0600d", 1);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void deadlines_end(void **state)
{
	deadline d = deadline_in_ms(20);
	int fds[2];

	(void)state;
	assert_int_equal(deadline_poll(DEADLINE_NEVER), -1);
	assert_false(deadline_over(d));
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(io_wait(fds[0], POLLIN, d), 0);
	assert_true(deadline_over(d));
	assert_int_equal(deadline_poll(d), 0);
	close(fds[0]);
	close(fds[1]);
}

static void files_are_replaced_whole(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX", path[64];
	struct error e;
	struct stat st;
	struct buf b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(io_replace_file(path, "one", 3, 0640, &e), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(io_replace_file(path, "two", 3, 0644, &e), 0);
	buf_init(&b, 100);
	assert_int_equal(io_read_file(path, true, &b, &st, &e), 0);
	assert_string_equal(buf_str(&b), "two");
	assert_int_equal(st.st_mode & 07777, 0600);
	buf_free(&b);
	buf_init(&b, 2);
	assert_int_equal(io_read_file(path, true, &b, NULL, &e), -1);
	buf_free(&b);
	assert_int_equal(io_read_file(dir, true, &b, NULL, &e), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(io_read_file(path, true, &b, NULL, &e), -1);
	assert_int_equal(error_exit(&e), EX_NOINPUT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(io_replace_file(path, "one", 3, 0640, &e), -1);
	assert_int_equal(error_exit(&e), EX_CANTCREAT);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing is left beside it */
}

static void reads_are_full(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX", path[64], got[8];
	struct error e;
	int fds[2], fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(io_replace_file(path, "abcdef", 6, 0600, &e), 0);
	assert_int_equal(io_sync(path), 0);
	assert_int_equal(io_sync(dir), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(io_pread_full(fd, got, 3, 2), 3);
	assert_memory_equal(got, "cde", 3);
	assert_int_equal(io_pread_full(fd, got, sizeof(got), 4), 2);
	assert_int_equal(io_pread_full(fd, got, sizeof(got), 6), 0);
	assert_int_equal(io_read_full(fd, got, 4), 4);
	assert_int_equal(io_read_full(fd, got, 4), 2);
	close(fd);
	assert_int_equal(io_read_full(fd, got, 1), -1);
	assert_int_equal(io_pread_full(fd, got, 1, 0), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(io_sync(path), -1);
	assert_int_equal(rmdir(dir), 0);

	/* A pipe gives what is there; all of it comes nevertheless. */
	assert_int_equal(pipe(fds), 0);
	if (fork() == 0) {
		for (int i = 0; i < 6; i++) {
			if (write(fds[1], "x", 1) != 1)
				_exit(1);
			poll(NULL, 0, 5);
		}
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(io_read_full(fds[0], got, sizeof(got)), 6);
	close(fds[0]);
	assert_true(wait(NULL) > 0);
}

static void sockets_with_long_paths(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX", deep[400], path[420];
	struct error e;
	uid_t uid = 77;
	int l, c, a;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(deep, sizeof(deep), "%s/%0150d", dir, 1);
	assert_int_equal(mkdir(deep, 0700), 0);
	snprintf(path, sizeof(path), "%s/door", deep);
	assert_int_equal(sock_connect(path, deadline_in_ms(1000)), -1);
	assert_int_equal(errno, ENOENT);
	l = sock_listen(path, 0666, &e);
	assert_true(l >= 0);
	c = sock_connect(path, deadline_in_ms(1000));
	assert_true(c >= 0);
	a = accept(l, NULL, NULL);
	assert_true(a >= 0);
	assert_int_equal(sock_peer(a, &uid, NULL, NULL), 0);
	assert_int_equal(uid, getuid());
	assert_true(sock_answers(path, 1000));
	close(a);
	close(c);
	close(l);
	assert_int_equal(sock_connect(path, deadline_in_ms(1000)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_false(sock_answers(path, 1000));
	assert_int_equal(errno, ECONNREFUSED);
	unlink(path);
	rmdir(deep);
	rmdir(dir);
}

/* The path is not taken from somebody who lives; from a listener that ended it is, though a child of it holds the
 * socket. */
static void living_listeners_keep_their_path(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX", path[100];
	int l, other, hold[2], status;
	struct error e;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/door", dir);
	l = sock_listen(path, 0600, &e);
	assert_true(l >= 0);
	assert_int_equal(sock_listen(path, 0600, &e), -1);
	assert_non_null(strstr(e.text, "Address already in use"));
	assert_true(sock_answers(path, 1000));
	close(l);
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		l = sock_listen(path, 0600, &e);
		if (l >= 0 && fork() == 0) {
			char byte;

			close(hold[1]);
			_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
		}
		_exit(l >= 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(sock_answers(path, 1000));
	other = sock_listen(path, 0600, &e);
	assert_true(other >= 0);
	close(other);
	close(hold[0]);
	close(hold[1]);
	unlink(path);
	rmdir(dir);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Subordinate uids count as their owner; files that others may write count as absent. */
static void persons(void **state)
{
	static const struct {
		unsigned uid, person;
	} cases[] = {
		{0, 0}, {1000, 1000}, {99999, 99999}, {100000, 1000}, {165535, 1000}, {165536, 1001}, {231071, 1001},
		{231072, 231072},
		{300000, 300000}, {300009, 300000}, {310005, 300000}, {400000, 77}, {500000, 500000},
		{600003, 600000}, {610003, 600000}, {700001, 700000},
		{4294967290u, 4294967290u},
	};
	char dir[] = "/tmp/test_base.XXXXXX", subuid[100], passwd[100];
	struct persons kept = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(subuid, sizeof(subuid), "%s/subuid", dir);
	snprintf(passwd, sizeof(passwd), "%s/passwd", dir);
	assert_int_equal(person_of_in(100000, subuid, passwd), 100000);
	write_text(passwd,
		   "root:x:0:0::/:/bin/sh\nal:x:9:9::/:\nalice:x:1000:1000:A:/home/alice:/bin/sh\nbob::1001:1001::/:\n",
		   0644);
	write_text(subuid,
		   "alice:100000:65536\nbob:165536:65536\nnobody-here:300000:10\nnobody-here:310000:10\n77:400000:5\n"
		   "root:600000:10\nroot:610000:10\n0:700000:10\nzero:0:1\nbroken\n"
		   "alice:500000:x\n:500000:5\nalice:-5:10\n",
		   0644);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(person_of_in(cases[i].uid, subuid, passwd), cases[i].person);
	write_text(subuid, "alice:100000:65536", 0644);
	assert_int_equal(person_of_in(165535, subuid, passwd), 1000);
	assert_int_equal(chmod(subuid, 0664), 0);
	assert_int_equal(person_of_in(165535, subuid, passwd), 165535);
	assert_int_equal(chmod(subuid, 0644), 0);
	assert_int_equal(chown(subuid, 12345, 0), 0);
	assert_int_equal(person_of_in(165535, subuid, passwd), 165535);
	unlink(subuid);
	unlink(passwd);
	rmdir(dir);
	for (uid_t uid = 0; uid < 3 * PERSONS_KEPT; uid++)
		assert_int_equal(person_known(&kept, uid % 100), uid % 100);
}

/* A child gets the descriptors it was given at their numbers, null for the standard ones, and no others. */
static void children_get_what_they_should(void **state)
{
	char *argv[] = {(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
			(char *)(uintptr_t)"(exec ls /proc/self/fd >&4); cat >&4 <&3; env >&4; pwd >&4", NULL};
	int in[2], out[2], extra, status;
	struct error e;
	char got[512] = "";
	ssize_t n, have = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	extra = dup(0); /* must not be seen by the child */
	pid = proc_start(&(struct proc_spec){.path = "/bin/sh", .argv = argv, .session = true, .nfds = 2,
			.fds = (struct proc_fd[]){{in[0], 3}, {out[1], 4}}}, &e);
	assert_true(pid > 0);
	close(out[1]);
	assert_int_equal(write(in[1], "hello\n", 6), 6);
	close(in[1]);
	while ((n = io_read(out[0], got + have, sizeof(got) - 1 - (size_t)have)) > 0)
		have += n;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_non_null(strstr(got, "0\n1\n2\n3\n4\n5\nhello\n")); /* 5 is the directory that ls reads */
	assert_null(strstr(got, "HOME="));
	assert_non_null(strstr(got, "\n/\n"));
	close(in[0]);
	close(out[0]);
	close(extra);
}

static void a_program_that_is_not_there(void **state)
{
	char *argv[] = {(char *)(uintptr_t)"x", NULL};
	struct error e;

	(void)state;
	assert_int_equal(proc_start(&(struct proc_spec){.path = "/nonexistent/x", .argv = argv}, &e), -1);
	assert_int_equal(error_exit(&e), EX_OSFILE);
	assert_string_equal(e.text, "cannot run /nonexistent/x: No such file or directory");
}

static void the_owner_is_told_apart(void **state)
{
	char dir[] = "/tmp/test_base.XXXXXX";
	struct error e;
	pid_t pid;
	int status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(proc_become_owner(dir, NULL, &e), 0); /* ours */
	if (getuid() == 0) {
		assert_int_equal(chown(dir, 12345, 12345), 0);
		pid = fork();
		if (pid == 0)
			_exit(proc_become_owner(dir, NULL, &e) == 0 && getuid() == 12345 && getegid() == 12345 &&
			      setuid(0) < 0 ? 0 : 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	rmdir(dir);
	assert_int_equal(proc_become_owner(dir, NULL, &e), -1);
}

static void file_systems_of_other_machines(void **state)
{
	(void)state;
	assert_string_equal(fs_refused(0x6969), "NFS");
	assert_string_equal(fs_refused(0xFF534D42), "CIFS");
	assert_string_equal(fs_refused((unsigned long)(long)(int)0xFF534D42), "CIFS");
	assert_string_equal(fs_refused(0x65735546), "FUSE");
	assert_string_equal(fs_refused(0x01021997), "9p");
	assert_null(fs_refused(0xEF53));
	assert_null(fs_refused(0x01021994));
	assert_null(fs_refused(0x58465342));
	assert_null(fs_refused(0x9123683E));
	assert_null(fs_refused(0x794C7630));
}

/* In a process of its own, as there is no way back: 0 as wanted, 77 no Landlock, else which of them was wrong. */
static int in_sandbox(const char *inside, const char *outside)
{
	const struct sandbox_path paths[] = {{inside, true, false}};
	char mine[100], other[100];
	int fd;

	snprintf(mine, sizeof(mine), "%s/mine", inside);
	snprintf(other, sizeof(other), "%s/other", outside);
	if (!sandbox_files(paths, 1))
		return 77;
	fd = open(mine, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 || truncate(mine, 0) < 0)
		return 1;
	if (open(other, O_RDONLY) >= 0)
		return 2;
#ifdef SYS_landlock_create_ruleset
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 3 && truncate(other, 0) == 0)
		return 3;
#endif
	return 0;
}

static void files_out_of_reach(void **state)
{
	char inside[] = "/tmp/outpost-base-XXXXXX", outside[] = "/tmp/outpost-base-XXXXXX", path[100];
	struct error e;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(inside));
	assert_non_null(mkdtemp(outside));
	snprintf(path, sizeof(path), "%s/other", outside);
	assert_int_equal(io_replace_file(path, "x", 1, 0600, &e), 0);
	pid = fork();
	if (pid == 0)
		_exit(in_sandbox(inside, outside));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	snprintf(path, sizeof(path), "%s/mine", inside);
	unlink(path);
	rmdir(inside);
	rmdir(outside);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_its_ceiling),
		cmocka_unit_test(buffer_refuses_sizes_that_wrap),
		cmocka_unit_test(buffer_drops_and_cuts),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(words_and_spans),
		cmocka_unit_test(foreign_bytes_become_printable),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(base64_there_and_back),
		cmocka_unit_test(frames_there_and_back),
		cmocka_unit_test(frames_that_lie_are_bad),
		cmocka_unit_test(errors_carry_their_text),
		cmocka_unit_test(deadlines_end),
		cmocka_unit_test(files_are_replaced_whole),
		cmocka_unit_test(reads_are_full),
		cmocka_unit_test(sockets_with_long_paths),
		cmocka_unit_test(living_listeners_keep_their_path),
		cmocka_unit_test(persons),
		cmocka_unit_test(children_get_what_they_should),
		cmocka_unit_test(a_program_that_is_not_there),
		cmocka_unit_test(the_owner_is_told_apart),
		cmocka_unit_test(file_systems_of_other_machines),
		cmocka_unit_test(files_out_of_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
