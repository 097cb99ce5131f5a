#include "config.h"
#include "base/files/trust.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "base/text/number.h"
#include "base/text/span.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LINKS_MAX = 40, PIECE = 8192 };

struct walk {
	const char *path;	/* as given, for error texts */
	int dir;		/* the directory reached, O_PATH */
	char rest[2 * PATH_MAX];
	unsigned links;
	bool shared;		/* others than its owner may make files in that directory */
	uid_t uid;
	gid_t gid;
	/* trust_open */
	bool opens;
	bool exposed;		/* not root and this process's user alone control the path */
	bool hidden;		/* not everybody may pass all directories and read the file */
	bool open_to_others;	/* others than the file's owner may write to it */
	int fd;			/* the file; -1: none yet */
};

static int refuse(const struct walk *w, const char *name, const char *why, struct error *err)
{
	return error_set(err, REASON_PERMISSION, "%s cannot be trusted: %s %s", w->path, name, why);
}

/* The path is not one user's: no path for root, and for trust_open one that leads to what everybody may read alone. */
static int expose(struct walk *w, const char *name, const char *why, struct error *err)
{
	w->exposed = true;
	return w->opens ? 0 : refuse(w, name, why, err);
}

static int note_owner(struct walk *w, const char *name, const struct stat *st, struct error *err)
{
	if (st->st_uid == 0 || st->st_uid == w->uid)
		return 0;
	if (w->uid != 0)
		return expose(w, name, "belongs to another user than what is above it", err);
	w->uid = st->st_uid;
	w->gid = st->st_gid;
	return 0;
}

/* Puts the target of a link before what is left of the path. */
static int follow(struct walk *w, int fd, const char *name, struct error *err)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return error_sys(err, REASON_NO_INPUT, "%s: cannot read the symbolic link %s", w->path, name);
	target[n] = '\0';
	if (++w->links > LINKS_MAX || snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= PATH_MAX)
		return refuse(w, name, "leads through too many symbolic links", err);
	memcpy(w->rest, rest, sizeof(rest));
	if (target[0] != '/')
		return 0;
	close(w->dir);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? error_sys(err, REASON_SYSTEM, "cannot open /") : 0;
}

/* Whether a group writes that is not root's, nor this process's own, or, by an access control list, who knows: the bits
 * of the group are the most that the list allows. What belongs to a user is shared as that user likes. */
static bool is_groups(int fd, const struct stat *st)
{
	char path[64];

	if (!(st->st_mode & S_IWGRP) || st->st_uid != 0)
		return false;
	if (st->st_gid != 0 && st->st_gid != getegid())
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static int enter(struct walk *w, int fd, const char *name, const struct stat *st, struct error *err)
{
	bool sticky = st->st_mode & S_ISVTX;
	bool everybody = st->st_mode & S_IWOTH, group = is_groups(fd, st);

	if ((everybody || group) && !sticky &&
	    expose(w, name, everybody ? "can be changed by everybody" : "can be changed by its group", err) < 0)
		return -1;
	w->hidden |= !(st->st_mode & S_IXOTH);
	close(w->dir);
	w->dir = fd;
	w->shared = everybody || group;
	return 1;
}

/* Opens the file that *st is about, by its name: another one may have it by now. */
static int open_file(struct walk *w, const char *name, const struct stat *st, struct error *err)
{
	struct stat opened;

	w->hidden |= !(st->st_mode & S_IROTH);
	w->exposed |= w->uid != 0 && w->uid != geteuid();
	if (w->exposed && w->hidden)
		return error_set(err, REASON_PERMISSION, "%s: not everybody may read it, and others than root control "
				 "the path (namei -l shows whom it belongs to)", w->path);
	w->fd = openat(w->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &opened) < 0)
		return error_sys(err, io_reason_of_open(), "cannot open %s", w->path);
	if (opened.st_dev != st->st_dev || opened.st_ino != st->st_ino)
		return error_set(err, REASON_TEMPORARY, "%s was exchanged while it was opened", w->path);
	return 0;
}

/* A file system that a user's process answers for (FUSE, and user_allow_other in /etc/fuse.conf) says of itself whose
 * its files are: they count as theirs who mounted it. */
static int note_mounter(const struct walk *w, const char *name, struct stat *st, struct error *err)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char device[32], *line = NULL, *option;
	bool found = false;
	uint64_t uid = 0;
	size_t size = 0;

	snprintf(device, sizeof(device), "%u:%u", major(st->st_dev), minor(st->st_dev));
	while (f && !found && getline(&line, &size, f) > 0) {
		struct span rest = span_of(line), word = {"", 0};

		for (int field = 0; field < 3; field++)	/* id, parent, device */
			span_word(&rest, " ", &word);
		found = span_is(word, device);
		option = found ? strrchr(line, ' ') : NULL;	/* of what is in front the user chooses the text */
		option = option ? strstr(option, ",user_id=") : NULL;
		if (option && text_u64((struct span){option + 9, strspn(option + 9, "0123456789")}, UINT32_MAX, &uid) &&
		    uid != 0)
			st->st_gid = st->st_uid = (uid_t)uid;
	}
	free(line);
	if (f)
		fclose(f);
	return found ? 0 : refuse(w, name, "is on a file system that is gone", err);
}

/* Takes fd in place of w->dir (1), or is done with it (0). */
static int take(struct walk *w, int fd, const char *name, bool last, struct error *err)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot stat %s", w->path);
	if (fs.f_type == PROC_SUPER_MAGIC)
		return refuse(w, name, "is in procfs", err);
	if (fs.f_type == FUSE_SUPER_MAGIC && note_mounter(w, name, &st, err) < 0)
		return -1;
	if (note_owner(w, name, &st, err) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd, name, err);
	if (S_ISDIR(st.st_mode))
		return enter(w, fd, name, &st, err);
	if (!last || !S_ISREG(st.st_mode))
		return refuse(w, name, last ? "is not a regular file" : "is not a directory", err);
	w->open_to_others = (st.st_mode & S_IWOTH) || is_groups(fd, &st);
	if (w->shared && st.st_nlink > 1 &&
	    expose(w, name, "has other names, in a directory that others write to", err) < 0)
		return -1;
	return w->opens ? open_file(w, name, &st, err) : 0;
}

/* The next component off w->rest. False at the end. */
static bool next_name(struct walk *w, char name[NAME_MAX + 1])
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (!n)
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)n, p);
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

static int walk_all(struct walk *w, struct error *err)
{
	char name[NAME_MAX + 1];

	while (next_name(w, name)) {
		bool last = !w->rest[strspn(w->rest, "/")];
		int fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;

		if (fd < 0 && errno == ENOENT && !w->opens)
			return w->shared ? refuse(w, name, "is missing, in a directory that others write to", err) : 0;
		if (fd < 0)
			return error_sys(err, io_reason_of_open(), "%s: cannot open %s", w->path, name);
		rc = take(w, fd, name, last, err);
		if (rc <= 0)
			close(fd);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int walk(struct walk *w, struct error *err)
{
	char cwd[PATH_MAX] = "";
	struct stat root;
	int rc;

	if (w->path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return error_sys(err, REASON_NO_INPUT, "cannot find the working directory");
	if (snprintf(w->rest, sizeof(w->rest), "%s/%s", cwd, w->path) >= PATH_MAX)
		return error_set(err, REASON_NO_INPUT, "the path %.100s… is too long", w->path);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0 || fstat(w->dir, &root) < 0)
		rc = error_sys(err, REASON_SYSTEM, "cannot open /");
	else
		rc = note_owner(w, "/", &root, err) < 0 ? -1 : walk_all(w, err);
	if (w->dir >= 0)
		close(w->dir);
	return rc;
}

int trust_walk(const char *path, uid_t *uid, gid_t *gid, struct error *err)
{
	struct walk w = {.path = path, .dir = -1, .fd = -1};

	if (walk(&w, err) < 0)
		return -1;
	*uid = w.uid;
	*gid = w.gid;
	return 0;
}

int trust_check(const char *path, struct error *err)
{
	struct walk w = {.path = path, .dir = -1, .fd = -1};

	if (walk(&w, err) < 0)
		return -1;
	if (w.uid != 0 && w.uid != geteuid())
		return error_set(err, REASON_PERMISSION, "%s can be replaced by uid %u, who is neither root nor this "
				 "process's user (namei -l %s shows where)", path, (unsigned)w.uid, path);
	if (w.open_to_others)
		return error_set(err, REASON_PERMISSION,
				 "%s can be changed by others than its owner; type: chmod go-w %s", path, path);
	return 0;
}

static int open_exposed(const char *path, bool exposed, struct error *err)
{
	struct walk w = {.path = path, .dir = -1, .opens = true, .exposed = exposed, .fd = -1};
	int rc = walk(&w, err);

	if (rc == 0 && w.fd < 0)
		rc = error_set(err, REASON_NO_INPUT, "%s is a directory, and a file is wanted", path);
	if (rc == 0)
		return w.fd;
	if (w.fd >= 0)
		close(w.fd);
	return -1;
}

int trust_open(const char *path, struct error *err)
{
	return open_exposed(path, false, err);
}

static int read_exposed(const char *path, bool exposed, struct buf *out, struct stat *st, struct error *err)
{
	int fd = open_exposed(path, exposed, err), rc;

	if (fd < 0)
		return -1;
	if (st && fstat(fd, st) < 0)
		rc = error_sys(err, REASON_IO, "cannot stat %s", path);
	else
		rc = io_read_to_end(fd, path, out, err);
	close(fd);
	return rc;
}

int trust_read_public(const char *path, struct buf *out, struct stat *st, struct error *err)
{
	return read_exposed(path, false, out, st, err);
}

int trust_read_everybodys(const char *path, struct buf *out, struct error *err)
{
	return read_exposed(path, true, out, NULL, err);
}

static int become(uid_t uid, gid_t gid, struct error *err)
{
	struct passwd *pw = getpwuid(uid);

	return proc_become(uid, pw ? pw->pw_gid : gid, pw ? pw->pw_name : NULL, err);
}

int trust_become(const char *path, struct error *err)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (trust_walk(path, &uid, &gid, err) < 0)
		return -1;
	return uid == 0 ? 0 : become(uid, gid, err);
}

int trust_become_owner(const char *dir, uid_t *owner, struct error *err)
{
	return proc_become_owner(dir, owner, err) < 0 ? -1 : trust_become(dir, err);
}

/* ---- reading with another user's rights */

/* 'y' and the text, or 'n', the reason's name, a newline and the words. */
int trust_send(int fd, const struct buf *text, const struct error *err)
{
	struct buf words;
	int rc;

	if (text)
		return io_write_all(fd, "y", 1, DEADLINE_NEVER) < 0 ? -1 :
			io_write_all(fd, text->data, text->len, DEADLINE_NEVER);
	buf_init(&words, PIECE);
	buf_addf(&words, "n%s\n%s", reason_name(err->reason), err->text);
	rc = io_write_all(fd, words.data, words.len, DEADLINE_NEVER);
	buf_free(&words);
	return rc;
}

int trust_receive(const struct buf *sent, struct buf *out, struct error *err)
{
	const char *line = buf_str(sent) + 1;
	size_t n;
	char name[32];

	if (sent->len && sent->data[0] == 'y')
		return buf_add(out, line, sent->len - 1) < 0 ?
			error_set(err, REASON_DATA, "a file is larger than %zu bytes", out->max) : 0;
	if (!sent->len)
		return error_set(err, REASON_IO, "nothing was read");
	n = strcspn(line, "\n");
	snprintf(name, sizeof(name), "%.*s", (int)n, line);
	return error_set(err, reason_find(name) ? reason_find(name) : REASON_INTERNAL, "%s",
			 line + n + (line[n] == '\n'));
}

static void read_for_parent(int out, const char *path, uid_t uid, gid_t gid, size_t max)
{
	struct error err;
	struct buf text;
	bool ok;

	buf_init(&text, max);
	ok = become(uid, gid, &err) == 0 && io_read_file(path, false, &text, NULL, &err) == 0;
	_exit(trust_send(out, ok ? &text : NULL, &err) < 0 ? EX_IOERR : EX_OK);
}

static int collect(int fd, pid_t pid, const char *path, struct buf *out, struct error *err)
{
	struct buf sent;
	int status, rc;

	buf_init(&sent, out->max + 2 * PIECE);
	rc = io_read_to_end(fd, path, &sent, err);
	status = proc_wait(pid);
	if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK))
		rc = error_set(err, REASON_IO, "cannot read %s with its owner's rights", path);
	if (rc == 0)
		rc = trust_receive(&sent, out, err);
	buf_wipe(&sent);
	return rc;
}

int trust_read_file(const char *path, struct buf *out, struct error *err)
{
	int fds[2], rc;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (geteuid() != 0)
		return io_read_file(path, false, out, NULL, err);
	if (trust_walk(path, &uid, &gid, err) < 0)
		return -1;
	if (uid == 0)
		return io_read_file(path, false, out, NULL, err);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		read_for_parent(fds[1], path, uid, gid, out->max);
	}
	close(fds[1]);
	rc = pid < 0 ? error_sys(err, REASON_SYSTEM, "cannot start a process") : collect(fds[0], pid, path, out, err);
	close(fds[0]);
	return rc;
}
