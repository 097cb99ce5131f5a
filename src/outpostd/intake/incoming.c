/*
 * incoming.c: names sort as the mail came. A look at the directory keeps the oldest names of it, however many are
 * there, and a turn of the loop takes in a few: clients and agents are served in between. The next look goes on
 * after the last name.
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

#include "base/array.h"
#include "base/files/room.h"
#include "base/io.h"
#include "base/log.h"
#include "base/process/step.h"

enum {
	TAKE_AT_ONCE = 64,
	SLICE_MS = 50,			/* of a turn, for reading and rewriting */
	TURN_MS = 20,
	KEPT_MAX = 4096,
	AGAIN_MS = 5000,
	AGAIN_MAX_MS = 3600 * 1000,
	LEFT_S = 86400,
	LARGE = 1 << 20,
	FAILURES_MAX = 8,
};

/* Long enough for any queue_directory that fits, and a name of incoming/. */
struct path {
	char s[1200];
};

static struct path path_of(const struct outpostd *d, const char *name)
{
	struct path p;

	snprintf(p.s, sizeof(p.s), "%s/" INCOMING_DIR "/%.*s", d->queue_dir, (int)sizeof(incoming_file), name);
	return p;
}

static void changed(void *arg, short revents)
{
	struct outpostd *d = arg;
	char events[4096];

	(void)revents;
	while (read(d->incoming.watch.fd, events, sizeof(events)) > 0)
		;
	d->incoming.look = true;
	shutdown_postpone(d);
}

static int make_dir(const struct outpostd *d, const char *name)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", d->queue_dir, name);
	return io_make_dir(path);
}

/* The directory that has the name now, and the one above: where somebody removes incoming/ outpost-drop makes
 * another. The same one once more changes nothing. */
static int watch_dir(const struct outpostd *d, int fd)
{
	if (inotify_add_watch(fd, d->queue_dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -1;
	return inotify_add_watch(fd, path_of(d, "").s, IN_CREATE | IN_MOVED_TO) < 0 && errno != ENOENT ? -1 : 0;
}

int incoming_open(struct outpostd *d)
{
	int fd;

	d->incoming.look = true;
	d->incoming.again = DEADLINE_NEVER;
	d->incoming.watch.fd = -1;
	if (make_dir(d, INCOMING_DIR) < 0 || make_dir(d, CORRUPT_DIR) < 0)
		return -1;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd >= 0 && watch_dir(d, fd) < 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		return 0; /* it is looked at with the housekeeping then */
	d->incoming.watch = (struct watch){.fd = fd, .events = POLLIN, .ready = changed, .arg = d};
	return loop_add(&d->loop, &d->incoming.watch);
}

unsigned incoming_look(struct outpostd *d)
{
	d->incoming.look = true;
	return d->incoming.looks + 1;
}

bool incoming_looked(const struct outpostd *d, unsigned look)
{
	return commit_stalled(d) || d->incoming.looked >= look;
}

void incoming_leave(struct outpostd *d, const char *name, const char *why)
{
	if (d->incoming.stays++ == 0)
		log_line(LOG_WARN, "pickup", 0, INCOMING_DIR "/%s stays for now: %s", name, why);
}

/* ---- before the transaction: what a file holds, whose it is, whether they may submit, and where it goes */

struct file {
	const char *name;
	int fd;				/* -1: it is not taken in this transaction */
	struct incoming head;
	struct submission_decoder *decoder;
	struct user who;
	bool known, allowed;		/* who was looked up, and may submit */
	struct accept_recipients to;
	struct error why;		/* it cannot be sent; REASON_NONE: it can */
};

static void file_free(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	submission_decoder_free(f->decoder);
	accept_recipients_free(&f->to);
	*f = (struct file){.fd = -1};
}

/* Each user is looked up once, however many of the files are that user's. */
static void look_up_owner(struct outpostd *d, struct file *all, struct file *f)
{
	int may;

	for (struct file *o = all; o < f; o++)
		if (o->known && o->who.uid == f->head.uid) {
			f->who = o->who;
			f->allowed = o->allowed;
			f->known = true;
			return;
		}
	user_of(d, f->head.uid, &f->who);
	may = user_allowed(d, P_authorized_submit_users, &f->who);
	f->allowed = may > 0;
	f->who.failed |= may < 0;
	f->known = true;
}

static int check_owner(const struct file *f, struct error *err)
{
	unsigned uid = f->head.uid;

	if (f->allowed)
		return 0;
	if (f->who.failed)
		return error_set(err, REASON_TEMPORARY, "uid %u cannot be looked up for authorized_submit_users", uid);
	return error_set(err, REASON_NOT_AUTHORIZED, "authorized_submit_users does not name uid %u", uid);
}

static bool may_pass(int code)
{
	return code == EX_TEMPFAIL || code == EX_IOERR || code == EX_OSERR || code == EX_CANTCREAT || code == 0;
}

/* 1: it is taken when a list is read. */
static int rewrite_recipients(struct outpostd *d, struct file *f, struct error *err)
{
	struct incoming_dir *in = &d->incoming;
	uint64_t size;
	int rc = accept_prepare(d, submission_envelope(f->decoder, &size), in->lists_since, &f->to, err);

	if (rc > 0)
		in->waits = in->waited = true;
	if (rc >= 0 || may_pass(error_exit(err)))
		return rc;
	f->why = *err; /* it was acknowledged, and fails as a message */
	return 0;
}

/* Without a limit: the submission was acknowledged, so a message_size_limit that was lowered since, or that the
 * drop, which reads no configuration, did not know, must not send it to corrupt/. It goes there if it is no submission
 * and never will be, or if its owner may not submit; then not even a notification is sent. */
static void prepare(struct outpostd *d, struct file *all, struct file *f)
{
	struct error err = {0};
	bool aside = true;
	int rc = incoming_read(f->fd, 0, NULL, NULL, &f->head, &f->decoder, &err);

	if (rc == 0) {
		look_up_owner(d, all, f);
		rc = check_owner(f, &err);
	}
	if (rc == 0) {
		aside = false;
		rc = rewrite_recipients(d, f, &err);
	}
	if (rc == 0)
		return;
	if (rc < 0 && aside && !may_pass(error_exit(&err)))
		corrupt_set_aside(d, f->name, &err);
	else if (rc < 0)
		incoming_leave(d, f->name, err.text);
	close(f->fd);
	f->fd = -1;
}

static void open_file(struct outpostd *d, struct file *all, struct file *f)
{
	f->fd = open(path_of(d, f->name).s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->fd >= 0)
		prepare(d, all, f);
	else if (errno != ENOENT)
		incoming_leave(d, f->name, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
}

/* ---- within it */

/* Unless the clock was wrong then. */
static int64_t arrival_of(struct outpostd *d, const struct incoming *in)
{
	int64_t now = clock_us(d);

	return in->arrival > now || (clock_knows(now) && !clock_knows(in->arrival)) ? now : in->arrival;
}

static int put(struct outpostd *d, struct file *f, struct error *err)
{
	struct incoming_body body = incoming_body_of(f->fd), again = body;
	struct accept_source from = {
		.who = &f->who, .arrival = arrival_of(d, &f->head), .read = incoming_body_read, .arg = &body,
	};
	char id[QUEUE_ID];

	from.s = submission_envelope(f->decoder, &from.size);
	if (!f->why.reason && accept_submission(d, &from, &f->to, id, &f->why) == 0)
		return 0;
	if (may_pass(error_exit(&f->why))) {
		*err = f->why;
		return -1;
	}
	from.arg = &again;
	return accept_to_fail(d, &from, &f->why, err);
}

static void take_file(struct outpostd *d, struct file *f)
{
	struct error err = {0};

	if (put(d, f, &err) == 0)
		return;
	incoming_leave(d, f->name, err.text);
	close(f->fd);
	f->fd = -1;
}

static void remove_taken(struct outpostd *d, const char *name)
{
	STEP("incoming-unlink");
	if (unlink(path_of(d, name).s) == 0)
		return;
	d->incoming.stays++; /* taken again it is known by its token; it is no reason to start once more */
	log_line(LOG_FAIL, "pickup", 0, "cannot remove %s: %s", path_of(d, name).s, strerror(errno));
}

/* ---- which files */

static int by_name(const void *a, const void *b)
{
	const struct incoming_entry *one = a, *other = b;

	return strcmp(one->name, other->name);
}

/* The large ones last: each has a transaction of its own, and waits alone if it fails. */
static int by_size(const void *a, const void *b)
{
	const struct incoming_entry *one = a, *other = b;

	return one->large != other->large ? one->large - other->large : by_name(a, b);
}

static void keep_oldest(struct incoming_dir *in)
{
	qsort(in->names, in->n, sizeof(in->names[0]), by_name);
	if (in->n <= KEPT_MAX)
		return;
	in->n = KEPT_MAX;
	memcpy(in->last, in->names[in->n - 1].name, sizeof(in->last));
}

static int keep(struct incoming_dir *in, const char *name)
{
	struct incoming_entry *one;

	if (in->n == 2 * (size_t)KEPT_MAX)
		keep_oldest(in);
	one = array_add(&in->names, &in->n, &in->cap, sizeof(*one));
	if (!one)
		return -1;
	memcpy(one->name, name, sizeof(one->name));
	return 0;
}

/* A drop takes ten minutes at most, and what it did not finish it did not acknowledge. */
static void remove_old(struct outpostd *d, const char *name)
{
	struct path path = path_of(d, name);
	struct stat st;

	if (lstat(path.s, &st) < 0 || clock_us(d) / 1000000 - st.st_mtime < LEFT_S || unlink(path.s) < 0)
		return;
	log_line(LOG_INFORMATION, "pickup", 0, INCOMING_DIR "/%s was never finished by its writer, and is removed",
		 name);
}

static void put_large_last(struct outpostd *d)
{
	struct incoming_dir *in = &d->incoming;
	struct stat st;

	for (size_t i = 0; i < in->n; i++)
		in->names[i].large = lstat(path_of(d, in->names[i].name).s, &st) == 0 && st.st_size >= LARGE;
	qsort(in->names, in->n, sizeof(in->names[0]), by_size);
}

static void look(struct outpostd *d)
{
	struct incoming_dir *in = &d->incoming;
	incoming_file after;
	struct dirent *e;
	DIR *dir;

	reload_if_changed(d);
	if (in->watch.fd >= 0)
		watch_dir(d, in->watch.fd); /* where it is not there that is seen below */
	if (!in->last[0]) {
		in->look = false;
		in->looks++;
		if (!in->waited)
			in->lists_since = lists_now(d);
		in->waits = in->waited = false;
		in->stays = 0;
		corrupt_recount(d);
	}
	memcpy(after, in->last, sizeof(after));
	in->last[0] = '\0';
	in->n = in->next = 0;
	dir = opendir(path_of(d, "").s);
	if (!dir)
		incoming_leave(d, "", strerror(errno));
	while (dir && (e = readdir(dir)) != NULL) {
		if (incoming_is_unfinished(e->d_name))
			remove_old(d, e->d_name);
		else if (incoming_is_name(e->d_name) && strcmp(e->d_name, after) > 0 && keep(in, e->d_name) < 0)
			incoming_leave(d, e->d_name, "out of memory");
	}
	if (dir)
		closedir(dir);
	if (in->n) {
		keep_oldest(in);
		put_large_last(d);
	}
}

static void forget(struct incoming_dir *in)
{
	free(in->names);
	in->names = NULL;
	in->n = in->next = in->cap = in->alone = 0;
}

/* ---- one transaction of at most TAKE_AT_ONCE files */

/* Of a file that is on this disk already its size is needed twice more. */
static bool has_room(struct outpostd *d, const char *name)
{
	struct error ignored;
	struct room r;
	struct stat st;

	if (lstat(path_of(d, name).s, &st) < 0 || room_look_at(d->queue_dir, &r, &ignored) < 0 ||
	    r.free / 2 >= (uint64_t)st.st_size)
		return true;
	incoming_leave(d, name, "the disk has no room for it");
	return false;
}

static size_t batch_end(const struct incoming_dir *in)
{
	size_t end = in->next + 1;

	if (in->alone || in->names[in->next].large)
		return end;
	while (end < in->n && end - in->next < TAKE_AT_ONCE && !in->names[end].large)
		end++;
	return end;
}

/* As many of them as a slice of the turn allows: *end is where it ends. */
static void prepare_batch(struct outpostd *d, struct file *files, size_t *end)
{
	deadline slice = deadline_in_ms(SLICE_MS);
	size_t first = d->incoming.next;

	for (size_t i = first; i < *end; i++) {
		struct file *f = &files[i - first];

		if (i > first && deadline_over(slice)) {
			*end = i;
			return;
		}
		*f = (struct file){.name = d->incoming.names[i].name, .fd = -1};
		open_file(d, files, f);
	}
}

static int write_batch(struct outpostd *d, struct file *files, size_t n, struct error *err)
{
	if (queue_begin(d->queue, err) < 0)
		return -1;
	for (struct file *f = files; f < files + n; f++)
		if (f->fd >= 0)
			take_file(d, f);
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
	for (struct file *f = files; f < files + n; f++)
		if (f->fd >= 0)
			remove_taken(d, f->name);
	return 0;
}

static int take_batch(struct outpostd *d, size_t *end, struct error *err)
{
	struct file files[TAKE_AT_ONCE];
	size_t n, some = 0;
	int rc;

	prepare_batch(d, files, end);
	n = *end - d->incoming.next;
	for (size_t i = 0; i < n; i++)
		some += files[i].fd >= 0;
	rc = some ? write_batch(d, files, n, err) : 0;
	for (size_t i = 0; i < n; i++)
		file_free(&files[i]);
	return rc;
}

static void go_on(struct incoming_dir *in, size_t next)
{
	in->alone -= in->alone ? 1 : 0;
	in->next = next;
}

/* The rest waits as well. */
static void give_up(struct outpostd *d, const struct error *why)
{
	struct incoming_dir *in = &d->incoming;

	log_line(LOG_FAIL, "pickup", 0, "cannot take " INCOMING_DIR "/ in: %s", why->text);
	in->next = in->n;
	in->last[0] = '\0';
	in->look = false;
	in->stays = incoming_count(d);
}

/* Of several files one may be the reason: they are taken one by one then, and only the one that fails alone waits.
 * Where one after the other fails it is not the files. */
static void batch_failed(struct outpostd *d, size_t end, const struct error *why)
{
	struct incoming_dir *in = &d->incoming;

	accept_forget(d);
	bounce_forget(d);
	if (d->commit.displaced) {
		give_up(d, why);
	} else if (queue_again(d->queue)) {
		/* the same once more, with more care */
	} else if (end - in->next > 1) {
		in->alone = end - in->next;
	} else if (++in->failures < FAILURES_MAX) {
		incoming_leave(d, in->names[in->next].name, why->text);
		go_on(in, end);
	} else {
		in->failures = 0;
		give_up(d, why);
	}
}

static void take_some(struct outpostd *d)
{
	struct incoming_dir *in = &d->incoming;
	size_t end = batch_end(in), stays = in->stays;
	struct error err = {0};

	if (in->names[in->next].large && !has_room(d, in->names[in->next].name)) {
		go_on(in, end);
	} else if (take_batch(d, &end, &err) == 0) {
		in->failures = 0;
		go_on(in, end);
	} else {
		in->stays = stays;
		batch_failed(d, end, &err);
	}
}

static bool more_to_do(const struct incoming_dir *in)
{
	return in->look || in->next < in->n || in->last[0];
}

bool incoming_busy(const struct outpostd *d)
{
	const struct incoming_dir *in = &d->incoming;

	return more_to_do(in) || in->waits;
}

deadline incoming_deadline(struct outpostd *d)
{
	return commit_stalled(d) ? DEADLINE_NEVER : more_to_do(&d->incoming) ? clock_mono_ms() : d->incoming.again;
}

void incoming_lists_read(struct outpostd *d)
{
	d->incoming.look |= d->incoming.waits;
	d->incoming.waits = false;
}

static void plan_retry(struct incoming_dir *in)
{
	int64_t pause = in->pause ? in->pause * 2 : AGAIN_MS;

	in->pause = !in->stays ? 0 : pause > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause;
	in->again = in->pause ? deadline_in_ms(in->pause) : DEADLINE_NEVER;
}

void incoming_tick(struct outpostd *d)
{
	struct incoming_dir *in = &d->incoming;

	if (deadline_over(in->again))
		in->look = true;
	if (!more_to_do(in) || commit_stalled(d))
		return;
	if (in->next == in->n)
		look(d);
	if (in->next < in->n)
		take_some(d);
	if (in->next == in->n)
		forget(in);
	if (!in->n && !in->last[0])
		in->looked = in->looks;
	if (!more_to_do(in))
		plan_retry(in);
}

void incoming_take(struct outpostd *d)
{
	d->incoming.look = true;
	do {
		incoming_tick(d);
		if (d->incoming.waits && loop_turn(&d->loop, TURN_MS) < 0)
			return;
		lists_tick(d);
	} while (incoming_busy(d) && !commit_stalled(d));
}

void incoming_close(struct outpostd *d)
{
	struct incoming_dir *in = &d->incoming;

	forget(in);
	if (in->watch.fd < 0)
		return;
	loop_remove(&d->loop, &in->watch);
	close(in->watch.fd);
	in->watch.fd = -1;
}

size_t incoming_count(struct outpostd *d)
{
	DIR *dir = opendir(path_of(d, "").s);
	struct dirent *e;
	size_t n = 0;

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
