/*
 * incoming.c: taking in what outpost-drop wrote while no door was open. A file's submission is acknowledged
 * already, so it may be lost in no way: COMMIT comes before unlink, and the token makes a second taking-in
 * after a crash between the two find the first one's id. What can never be taken moves to corrupt/.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/step.h"
#include "submission/incoming.h"

enum { TAKE_AT_ONCE = 64, AGAIN_MS = 5000, AGAIN_MAX_MS = 3600 * 1000 };

struct taken {
	char name[INCOMING_NAME + sizeof(".msg")];
	bool refused;
	struct error why;
};

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
	while (read(d->incoming.fd, events, sizeof(events)) > 0)
		;
	d->look_incoming = true;
	d->active = clock_mono_ms();
}

static int make_dir(const struct outpostd *d, const char *name)
{
	char path[1200];

	if (dir_path(d, name, NULL, path, sizeof(path)) < 0)
		return -1;
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

int incoming_open(struct outpostd *d)
{
	char path[1200];
	int fd;

	d->look_incoming = true;
	d->incoming_again = DEADLINE_NEVER;
	d->incoming.fd = -1;
	if (make_dir(d, INCOMING_DIR) < 0 || make_dir(d, "corrupt") < 0 ||
	    dir_path(d, INCOMING_DIR, NULL, path, sizeof(path)) < 0)
		return -1;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) < 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		return 0; /* it is looked at with the upkeep then */
	d->incoming = (struct watch){.fd = fd, .events = POLLIN, .ready = changed, .arg = d};
	return loop_add(&d->loop, &d->incoming);
}

/* The file is read twice: first through the strict decoder to its end, which alone decides whether it is taken, then for
 * the message, straight into the queue: a full disk need not hold a third copy. Nobody else can write it. */
struct reread {
	int fd;
	off_t at;
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
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(r->fd, (char *)p + have, n - have, r->at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_sys(err, EX_IOERR, "4.3.0", "cannot read a file in " INCOMING_DIR);
		have += (size_t)got;
		r->at += got;
	}
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

/* Without a limit: the submitter was told "taken", so a message_size_limit that was lowered since, or that the
 * drop, which reads no configuration, did not know, must not send it to corrupt/. */
static int take_file(struct outpostd *d, int fd, struct error *err)
{
	uint64_t size;
	struct reread body = {.fd = fd, .at = INCOMING_HEAD + sizeof(SUBMISSION_MAGIC) - 1};
	struct submission_decoder *decoder = NULL;
	struct incoming in;
	char id[QUEUE_ID];
	int rc = incoming_read(fd, 0, ignore, NULL, &in, &decoder, err);

	if (rc == 0) {
		const struct submission *s = submission_envelope(decoder, &size);

		rc = accept_submission(d, s, size, in.uid, in.arrival, reread, &body, id, err);
	}
	submission_decoder_free(decoder);
	return rc;
}

static bool may_pass(int code)
{
	return code == EX_TEMPFAIL || code == EX_IOERR || code == EX_OSERR || code == EX_CANTCREAT || code == 0;
}

/* What can't be had now may be later; nobody would say so, so it is looked at again. One line is enough for many. */
static int stays(struct outpostd *d, const char *name, const char *why)
{
	if (d->incoming_stays++ == 0)
		log_line(LOG_WARN, "pickup", 0, INCOMING_DIR "/%s stays for now: %s", name, why);
	return 0;
}

/* 1: it is in the transaction (or is to be refused); 0: not now. */
static int take_one(struct outpostd *d, const char *name, struct taken *t)
{
	char path[1200];
	int fd, rc;

	if (dir_path(d, INCOMING_DIR, name, path, sizeof(path)) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : stays(d, name, strerror(errno));
	*t = (struct taken){.refused = false};
	memcpy(t->name, name, strnlen(name, sizeof(t->name) - 1));
	rc = take_file(d, fd, &t->why);
	close(fd);
	if (rc == 0)
		return 1;
	if (may_pass(t->why.code))
		return stays(d, name, t->why.text);
	t->refused = true;
	return 1;
}

static void put_away(struct outpostd *d, const struct taken *t)
{
	char from[1200], to[1200];

	if (dir_path(d, INCOMING_DIR, t->name, from, sizeof(from)) < 0 ||
	    dir_path(d, "corrupt", t->name, to, sizeof(to)) < 0)
		return;
	if (t->refused) {
		log_line(LOG_FAIL, "pickup", 0, INCOMING_DIR "/%s can't be taken in, moved to corrupt/: %s", t->name,
			 t->why.text);
		if (rename(from, to) < 0)
			log_line(LOG_FAIL, "pickup", 0, "cannot move %s: %s", from, strerror(errno));
		return;
	}
	STEP("incoming-unlink");
	if (unlink(from) < 0)
		log_line(LOG_FAIL, "pickup", 0, "cannot remove %s: %s", from, strerror(errno));
}

/* One transaction of at most TAKE_AT_ONCE files; how many were dealt with. */
static int take_some(struct outpostd *d, DIR *dir)
{
	static struct taken list[TAKE_AT_ONCE];
	struct error err = {0};
	struct dirent *e;
	int n = 0;

	if (queue_begin(d->queue, &err) < 0)
		goto fail;
	while (n < TAKE_AT_ONCE && (e = readdir(dir)) != NULL)
		if (incoming_is_name(e->d_name))
			n += take_one(d, e->d_name, &list[n]);
	STEP("incoming-commit");
	if (queue_commit(d->queue, &err) < 0) {
		queue_rollback(d->queue);
		goto fail;
	}
	STEP("incoming-committed");
	accept_committed(d);
	for (int i = 0; i < n; i++)
		put_away(d, &list[i]);
	return n;
fail:
	accept_forget(d);
	log_line(LOG_FAIL, "pickup", 0, "cannot take " INCOMING_DIR "/ in: %s", err.text);
	d->incoming_stays = incoming_count(d);
	return 0;
}

static void look_again(struct outpostd *d)
{
	int64_t pause = d->incoming_pause ? d->incoming_pause * 2 : AGAIN_MS;

	d->incoming_pause = !d->incoming_stays ? 0 : pause > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause;
	d->incoming_again = d->incoming_pause ? deadline_in_ms(d->incoming_pause) : DEADLINE_NEVER;
}

deadline incoming_deadline(const struct outpostd *d)
{
	return d->stalled ? DEADLINE_NEVER : d->incoming_again;
}

void incoming_take(struct outpostd *d)
{
	char path[1200];
	DIR *dir;

	d->look_incoming = false;
	d->incoming_stays = 0;
	if (dir_path(d, INCOMING_DIR, NULL, path, sizeof(path)) < 0)
		return;
	dir = opendir(path);
	if (!dir)
		stays(d, "", strerror(errno));
	while (dir && take_some(d, dir) == TAKE_AT_ONCE)
		;
	if (dir)
		closedir(dir);
	look_again(d);
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
	return incoming_count(d) > d->incoming_stays;
}
