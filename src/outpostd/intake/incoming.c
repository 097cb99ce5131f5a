/*
 * incoming.c: taking in what outpost-drop wrote while no door was open. A file's submission is acknowledged
 * already, so it may be lost in no way: COMMIT comes before unlink, and the token makes a second taking-in
 * after a crash between the two find the first one's id. What can never be taken moves to corrupt/.
 *
 * Names sort as the mail came. A look at the directory keeps the oldest names of it, however many are there, and a turn
 * of the loop takes in a few: clients and agents are served in between. The next look goes on behind the last name.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/step.h"
#include "submission/incoming.h"

enum { TAKE_AT_ONCE = 64, KEPT_MAX = 4096, AGAIN_MS = 5000, AGAIN_MAX_MS = 3600 * 1000, LEFT_S = 86400,
      ASIDE_MAX = 1000, ASIDE_BYTES = 64 << 20 };

static int dir_path(const struct outpostd *d, const char *dir, const char *name, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s%s%s", d->queue_dir, dir, name ? "/" : "", name ? name : "");

	return n > 0 && (size_t)n < size ? 0 : -1;
}

static void changed(void *arg, short revents)
{
	struct outpostd *d = arg;
	char events[4096];

	(void)revents;
	while (read(d->incoming.watch.fd, events, sizeof(events)) > 0)
		;
	d->incoming.look = true;
	d->active = clock_mono_ms();
}

static int make_dir(const struct outpostd *d, const char *name)
{
	char path[1200];

	if (dir_path(d, name, NULL, path, sizeof(path)) < 0)
		return -1;
	return io_make_dir(path);
}

/* The directory that has the name now, and the one above: where somebody removes incoming/ outpost-drop makes another.
 * The same one once more changes nothing. */
static int watch_dir(const struct outpostd *d, int fd)
{
	char path[1200];

	if (dir_path(d, INCOMING_DIR, NULL, path, sizeof(path)) < 0 ||
	    inotify_add_watch(fd, d->queue_dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -1;
	return inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) < 0 && errno != ENOENT ? -1 : 0;
}

int incoming_open(struct outpostd *d)
{
	int fd;

	d->incoming.look = true;
	d->incoming.again = DEADLINE_NEVER;
	d->incoming.watch.fd = -1;
	if (make_dir(d, INCOMING_DIR) < 0 || make_dir(d, "corrupt") < 0)
		return -1;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd >= 0 && watch_dir(d, fd) < 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		return 0; /* it is looked at with the upkeep then */
	d->incoming.watch = (struct watch){.fd = fd, .events = POLLIN, .ready = changed, .arg = d};
	return loop_add(&d->loop, &d->incoming.watch);
}

/* The file is read twice: first through the strict decoder to its end, which alone decides whether it is taken, then
 * for the message, straight into the queue: a full disk need not hold a third copy. Nobody else can write it. */
struct reread {
	int fd;
	uint64_t at;
	uint32_t left;		/* of the piece we are in */
	bool end;
};

static int ignore(void *arg, const char *p, size_t n, struct error *err)
{
	(void)arg, (void)p, (void)n, (void)err;
	return 0;
}

static int read_at(struct reread *r, void *p, size_t n, struct error *err)
{
	if (io_pread_full(r->fd, p, n, r->at) != (ssize_t)n)
		return error_sys(err, REASON_IO, "cannot read a file in " INCOMING_DIR);
	r->at += n;
	return 0;
}

/* On to the next piece of the message: 1, or 0 at the end record. */
static int next_piece(struct reread *r, struct error *err)
{
	unsigned char head[5];

	for (;;) {
		uint32_t n;

		if (read_at(r, head, sizeof(head), err) < 0)
			return -1;
		n = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
		r->end = head[0] == 'Z';
		if (r->end)
			return 0;
		if (head[0] == 'M' && n) {
			r->left = n;
			return 1;
		}
		r->at += n;
	}
}

static long reread(void *arg, char *p, size_t n, struct error *err)
{
	struct reread *r = arg;
	int rc = r->end ? 0 : r->left ? 1 : next_piece(r, err);

	if (rc <= 0)
		return rc;
	if (n > r->left)
		n = r->left;
	if (read_at(r, p, n, err) < 0)
		return -1;
	r->left -= (uint32_t)n;
	return (long)n;
}

/* ---- before the transaction: whose files they are, and whether he may */

/* As at the door. The groups of a process that is gone are not known: those of its user count. */
static bool may_submit(struct outpostd *d, struct user *who)
{
	gid_t groups[USER_GROUPS];
	int n = 0, may;

	/* Where nobody asks for groups they are not looked up, which may go far away. */
	if (who->known && strchr(conf_str(d->conf, P_authorized_submit_users), '%'))
		n = user_groups(d, who->uid, groups);
	may = user_named(d, P_authorized_submit_users, who, groups, n > 0 ? (size_t)n : 0);
	who->failed |= n < 0 || may < 0;
	return may > 0;
}

static int open_file(struct outpostd *d, const char *name)
{
	char path[1200];

	if (dir_path(d, INCOMING_DIR, name, path, sizeof(path)) < 0) {
		errno = ENOENT;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* False: there is no owner to be seen, and no such file is taken. */
static bool read_owner(struct outpostd *d, const char *name, uint32_t *uid)
{
	char head[INCOMING_HEAD];
	struct incoming in;
	int fd = open_file(d, name);
	bool good = fd >= 0 && io_pread_full(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
		    incoming_get_head(head, &in) == 0;

	if (fd >= 0)
		close(fd);
	if (good)
		*uid = in.uid;
	return good;
}

/* Each user is looked up once, however many files of his there are. */
struct owner {
	bool known;
	struct user who;
	bool allowed;
};
static void look_up_owner(struct outpostd *d, const char *name, struct owner *all, size_t i)
{
	struct owner *o = &all[i];
	uint32_t uid;

	o->known = read_owner(d, name, &uid);
	if (!o->known)
		return;
	for (size_t k = 0; k < i; k++)
		if (all[k].known && all[k].who.uid == uid) {
			*o = all[k];
			return;
		}
	user_of(d, uid, &o->who);
	o->allowed = may_submit(d, &o->who);
}

/* ---- within it */

/* Unless the clock was wrong then. */
static int64_t arrival_of(struct outpostd *d, const struct incoming *in)
{
	int64_t now = clock_us(d);

	return in->arrival > now || (clock_knows(now) && !clock_knows(in->arrival)) ? now : in->arrival;
}

static bool may_pass(int code)
{
	return code == EX_TEMPFAIL || code == EX_IOERR || code == EX_OSERR || code == EX_CANTCREAT || code == 0;
}

/* Without a limit: the submitter was told "taken", so a message_size_limit that was lowered since, or that the
 * drop, which reads no configuration, did not know, must not send it to corrupt/. */
static int take_decoded(struct outpostd *d, int fd, const struct incoming *in, const struct user *who,
			const struct submission *s, uint64_t size, struct error *err)
{
	struct reread body = {.fd = fd, .at = INCOMING_HEAD + sizeof(SUBMISSION_MAGIC) - 1}, again = body;
	char id[QUEUE_ID];
	struct error why = {0};

	if (accept_submission(d, s, size, who, arrival_of(d, in), budget_delay(d, in->uid), reread, &body, id, &why) ==
	    0)
		return 0;
	if (!may_pass(error_exit(&why)))
		return accept_to_fail(d, s, size, who, arrival_of(d, in), reread, &again, &why, err);
	*err = why;
	return -1;
}

/* *aside: it is no submission, and never will be, or of somebody who may not submit: not even a notification is sent
 * for him. */
static int take_file(struct outpostd *d, int fd, const struct owner *o, bool *aside, struct error *err)
{
	struct submission_decoder *decoder = NULL;
	struct incoming in;
	uint64_t size;
	int rc = incoming_read(fd, 0, ignore, NULL, &in, &decoder, err);

	*aside = rc < 0 && !may_pass(error_exit(err));
	if (rc == 0 && (!o->known || o->who.uid != in.uid)) {
		rc = error_set(err, REASON_TEMPORARY, "its owner could not be read before");
	} else if (rc == 0 && !o->allowed && o->who.failed) {
		rc = error_set(err, REASON_TEMPORARY, "uid %u cannot be looked up for authorized_submit_users",
			       (unsigned)in.uid);
	} else if (rc == 0 && !o->allowed) {
		*aside = true;
		rc = error_set(err, REASON_NOT_AUTHORIZED, "authorized_submit_users does not name uid %u",
			       (unsigned)in.uid);
	}
	if (rc == 0) {
		const struct submission *s = submission_envelope(decoder, &size);

		rc = take_decoded(d, fd, &in, &o->who, s, size, err);
	}
	submission_decoder_free(decoder);
	return rc;
}

/* What is set aside already. */
static void count_aside(struct outpostd *d)
{
	struct incoming_state *in = &d->incoming;
	struct dirent *e;
	char path[1200];
	struct stat st;
	DIR *dir = dir_path(d, "corrupt", NULL, path, sizeof(path)) < 0 ? NULL : opendir(path);

	in->aside = 1;	/* the one that comes */
	in->aside_bytes = 0;
	while (dir && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			in->aside++;
			in->aside_bytes += (uint64_t)st.st_size;
		}
	if (dir)
		closedir(dir);
}

/* Whether one more file of this size has room there. */
static bool has_room_aside(struct outpostd *d, uint64_t size)
{
	struct incoming_state *in = &d->incoming;

	if (in->aside)
		in->aside++;
	else
		count_aside(d);
	in->aside_bytes += size;
	if (in->aside <= ASIDE_MAX && in->aside_bytes <= ASIDE_BYTES) {
		in->full = false;
		return true;
	}
	in->aside--;
	in->aside_bytes -= size;
	return false;
}

/* Anybody can have outpost-drop write submissions, as often as he likes. Of those who may not submit no more is kept
 * than shows what goes on. */
static bool remove_excess(struct outpostd *d, const char *path, const struct error *why)
{
	struct stat st;

	if (error_exit(why) != EX_NOPERM || lstat(path, &st) < 0 || has_room_aside(d, (uint64_t)st.st_size))
		return false;
	if (!d->incoming.full)
		log_line(LOG_FAIL, "pickup", 0,
			 "corrupt/ is full: what is submitted by users whom authorized_submit_users does not name is "
			 "removed until you have emptied it (%s)",
			 why->text);
	d->incoming.full = true;
	return unlink(path) == 0;
}

/* What can't be had now may be later; nobody would say so, so it is looked at again. One line is enough for many. */
static bool stays(struct outpostd *d, const char *name, const char *why)
{
	if (d->incoming.stays++ == 0)
		log_line(LOG_WARN, "pickup", 0, INCOMING_DIR "/%s stays for now: %s", name, why);
	return false;
}

static void set_aside(struct outpostd *d, const char *name, const struct error *why)
{
	char from[1200], to[1200], words[800];

	if (dir_path(d, INCOMING_DIR, name, from, sizeof(from)) < 0 ||
	    dir_path(d, "corrupt", name, to, sizeof(to)) < 0 || remove_excess(d, from, why))
		return;
	if (rename(from, to) == 0) {
		log_line(LOG_FAIL, "pickup", 0, INCOMING_DIR "/%s can't be taken in, moved to corrupt/: %s", name,
			 why->text);
		return;
	}
	snprintf(words, sizeof(words), "%s, and it can't be moved to corrupt/: %s", why->text, strerror(errno));
	stays(d, name, words);
}

/* True: it is in the transaction. */
static bool take_one(struct outpostd *d, const char *name, const struct owner *o)
{
	struct error err = {0};
	int fd = open_file(d, name), rc;
	bool aside;

	if (fd < 0)
		return errno != ENOENT && stays(d, name, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
	rc = take_file(d, fd, o, &aside, &err);
	close(fd);
	if (rc == 0)
		return true;
	if (!aside)
		return stays(d, name, err.text);
	set_aside(d, name, &err);
	return false;
}

static void remove_taken(struct outpostd *d, const char *name)
{
	char path[1200];

	if (!*name || dir_path(d, INCOMING_DIR, name, path, sizeof(path)) < 0)
		return;
	STEP("incoming-unlink");
	if (unlink(path) == 0)
		return;
	d->incoming.stays++; /* taken again it is known by its token; nobody is to begin another life for it */
	log_line(LOG_FAIL, "pickup", 0, "cannot remove %s: %s", path, strerror(errno));
}

/* ---- which files: the oldest, found in one walk through the directory with a heap whose top is the youngest kept */

static void sift_down(incoming_file *heap, size_t n, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		incoming_file swap;

		if (child + 1 < n && strcmp(heap[child + 1], heap[child]) > 0)
			child++;
		if (strcmp(heap[i], heap[child]) >= 0)
			return;
		memcpy(swap, heap[i], sizeof(swap));
		memcpy(heap[i], heap[child], sizeof(swap));
		memcpy(heap[child], swap, sizeof(swap));
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Keeps the name if it is among the KEPT_MAX oldest so far. */
static int keep(struct incoming_state *in, const char *name)
{
	if (in->n == KEPT_MAX) {
		if (strcmp(name, in->names[0]) < 0) {
			memcpy(in->names[0], name, sizeof(in->names[0]));
			sift_down(in->names, in->n, 0);
		}
		return 0;
	}
	if (in->n == in->cap) {
		size_t cap = in->cap ? in->cap * 2 : TAKE_AT_ONCE;
		incoming_file *more = realloc(in->names, cap * sizeof(*more));

		if (!more)
			return -1;
		in->names = more;
		in->cap = cap;
	}
	memcpy(in->names[in->n++], name, sizeof(in->names[0]));
	if (in->n == KEPT_MAX)
		for (size_t i = in->n / 2; i-- > 0;)
			sift_down(in->names, in->n, i);
	return 0;
}

/* A drop takes ten minutes at most, and what it did not finish it did not acknowledge. */
static void remove_old(struct outpostd *d, const char *name)
{
	char path[1200];
	struct stat st;

	if (dir_path(d, INCOMING_DIR, name, path, sizeof(path)) < 0 || lstat(path, &st) < 0 ||
	    clock_us(d) / 1000000 - st.st_mtime < LEFT_S)
		return;
	if (unlink(path) == 0)
		log_line(LOG_INFORMATION, "pickup", 0,
			 INCOMING_DIR "/%s was never finished by its writer, and is removed", name);
}

static void look_at(struct outpostd *d, const char *name)
{
	struct incoming_state *in = &d->incoming;

	if (incoming_is_unfinished(name))
		remove_old(d, name);
	else if (incoming_is_name(name) && strcmp(name, in->behind) > 0 && keep(in, name) < 0)
		stays(d, name, "no memory");
}

static void look(struct outpostd *d)
{
	struct incoming_state *in = &d->incoming;
	struct dirent *e;
	char path[1200];
	DIR *dir;

	reload_if_changed(d);
	if (in->watch.fd >= 0)
		watch_dir(d, in->watch.fd); /* where it is not there that is seen below */
	in->n = in->next = 0;
	if (!in->behind[0]) {
		in->look = false;
		in->stays = 0;
		in->aside = 0;
	}
	dir = dir_path(d, INCOMING_DIR, NULL, path, sizeof(path)) < 0 ? NULL : opendir(path);
	if (!dir)
		stays(d, "", strerror(errno));
	while (dir && (e = readdir(dir)) != NULL)
		look_at(d, e->d_name);
	if (dir)
		closedir(dir);
	if (in->n)
		qsort(in->names, in->n, sizeof(in->names[0]), by_name);
	in->behind[0] = '\0';
	if (in->n == KEPT_MAX)
		memcpy(in->behind, in->names[in->n - 1], sizeof(in->behind));
}

static void forget(struct incoming_state *in)
{
	free(in->names);
	in->names = NULL;
	in->n = in->next = in->cap = 0;
}

/* ---- one transaction of at most TAKE_AT_ONCE files */

static int take_some(struct outpostd *d, struct error *err)
{
	struct incoming_state *in = &d->incoming;
	size_t first = in->next, end = first + TAKE_AT_ONCE < in->n ? first + TAKE_AT_ONCE : in->n;
	struct owner owners[TAKE_AT_ONCE];

	for (size_t i = first; i < end; i++)
		look_up_owner(d, in->names[i], owners, i - first);
	if (queue_begin(d->queue, err) < 0)
		return -1;
	for (size_t i = first; i < end; i++)
		if (!take_one(d, in->names[i], &owners[i - first]))
			in->names[i][0] = '\0';
	STEP("incoming-commit");
	if (queue_commit(d->queue, err) < 0) {
		queue_rollback(d->queue);
		return -1;
	}
	if (!commit_counts(d, err))
		return -1;
	STEP("incoming-committed");
	accept_committed(d);
	bounce_committed(d);
	for (size_t i = first; i < end; i++)
		remove_taken(d, in->names[i]);
	in->next = end;
	return 0;
}

bool incoming_busy(const struct outpostd *d)
{
	const struct incoming_state *in = &d->incoming;

	return in->look || in->next < in->n || in->behind[0];
}

deadline incoming_deadline(struct outpostd *d)
{
	return d->stalled ? DEADLINE_NEVER : incoming_busy(d) ? clock_mono_ms() : d->incoming.again;
}

/* The queue took none of them: the rest waits as well. */
static void give_up(struct outpostd *d, const struct error *why)
{
	struct incoming_state *in = &d->incoming;

	accept_forget(d);
	bounce_forget(d);
	if (queue_again(d->queue)) { /* one file was the reason: in the next turn it fails alone */
		in->next = in->n;
		in->behind[0] = '\0';
		in->look = true;
		return;
	}
	log_line(LOG_FAIL, "pickup", 0, "cannot take " INCOMING_DIR "/ in: %s", why->text);
	in->stays = incoming_count(d);
	in->next = in->n;
	in->behind[0] = '\0';
	in->look = false;
}

static void look_again(struct incoming_state *in)
{
	int64_t pause = in->pause ? in->pause * 2 : AGAIN_MS;

	in->pause = !in->stays ? 0 : pause > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause;
	in->again = in->pause ? deadline_in_ms(in->pause) : DEADLINE_NEVER;
}

void incoming_tick(struct outpostd *d)
{
	struct incoming_state *in = &d->incoming;
	struct error err = {0};

	if (deadline_over(in->again))
		in->look = true;
	if (!incoming_busy(d) || d->stalled)
		return;
	if (in->next == in->n)
		look(d);
	if (in->next < in->n && take_some(d, &err) < 0)
		give_up(d, &err);
	if (in->next == in->n)
		forget(in);
	if (!incoming_busy(d))
		look_again(in);
}

void incoming_take(struct outpostd *d)
{
	d->incoming.look = true;
	do
		incoming_tick(d);
	while (incoming_busy(d) && !d->stalled);
}

void incoming_close(struct outpostd *d)
{
	struct incoming_state *in = &d->incoming;

	forget(in);
	if (in->watch.fd < 0)
		return;
	loop_remove(&d->loop, &in->watch);
	close(in->watch.fd);
	in->watch.fd = -1;
}

size_t incoming_count(struct outpostd *d)
{
	char path[1200];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	if (dir_path(d, INCOMING_DIR, NULL, path, sizeof(path)) < 0)
		return 0;
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL)
		n += incoming_is_name(e->d_name);
	if (dir)
		closedir(dir);
	return n;
}

bool incoming_waits(struct outpostd *d)
{
	return incoming_count(d) > d->incoming.stays;
}
