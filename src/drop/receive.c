#include "config.h"
#include "drop/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/files/fs.h"
#include "base/files/room.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/person.h"
#include "base/process/step.h"
#include "submission/incoming.h"

/*
 * The file has no name while it is written (O_TMPFILE), so that whoever kills us leaves nothing. What comes is
 * written as it came; the decoder reads along and has the last word. Then, in this order: the bytes on disk, the
 * name, the name on disk. From there on the mail is ours.
 *
 * Where the file system has no O_TMPFILE, or /proc is not there to link it from, the file is born as "NAME.tmp",
 * which nobody takes for a message.
 */
enum { STALL_MS = 10 * 1000, PIECE = 65536 };

struct file {
	int fd, dir;
	char tmp[48];		/* its name while it is written; empty: none */
	bool bounded;		/* by ceiling and free space: not root, outpost itself, and queues of one's own */
	uid_t person;		/* whose it is; see base/person.h */
	uint64_t size;		/* written so far, */
	uint64_t checked;	/* and at the last look at the free space */
};

static int failed(const char *what, struct error *err)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
		return error_sys(err, REASON_STORAGE_FULL, "%s", what);
	case EFBIG:
		return error_set(err, REASON_STORAGE_FULL,
				 "%s: the file size limit (ulimit -f) of the caller is too low", what);
	case EMFILE:
		return error_set(err, REASON_TEMPORARY, "%s: the descriptor limit (ulimit -n) of the caller is too low",
				 what);
	default:
		return error_sys(err, REASON_TEMPORARY, "%s", what);
	}
}

static int open_dir(const struct drop *d, struct error *err)
{
	char path[4096];
	struct stat st;
	int fd;

	if (fs_check(d->queue_dir, err) < 0)
		return -1;	/* nobody would ever take it from there */
	if (snprintf(path, sizeof(path), "%s/" INCOMING_DIR, d->queue_dir) >= (int)sizeof(path))
		return error_set(err, REASON_CONFIG, "the name of the queue directory is too long");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed("cannot open " INCOMING_DIR, err);
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid())
		return fd;
	close(fd);
	return error_set(err, REASON_TEMPORARY, "%s does not belong to uid %u", path, (unsigned)geteuid());
}

static int open_file(struct file *f, const char *name, struct error *err)
{
	char link[64];

	f->tmp[0] = '\0';
	f->fd = openat(f->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
		if (access(link, F_OK) == 0)
			return 0;
		close(f->fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOSPC || errno == EDQUOT) {
		return failed("cannot make a file in " INCOMING_DIR, err);
	}
	snprintf(f->tmp, sizeof(f->tmp), "%.*s.tmp", INCOMING_NAME, name);
	f->fd = openat(f->dir, f->tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd >= 0)
		return 0;
	f->tmp[0] = '\0';
	return failed("cannot make a file in " INCOMING_DIR, err);
}

static int check_room(struct file *f, struct error *err)
{
	struct room_held held;
	struct room r;

	f->checked = f->size;
	if (room_look(f->dir, &r, err) < 0)
		return -1;
	if (!room_is_tight(&r))
		return room_check(&r, f->size, NULL, err);
	if (incoming_held(f->dir, f->person, &held, err) < 0)
		return -1;
	return room_check(&r, f->size, &held, err);
}

/* Of the whole file, as records that nobody knows are written like others. */
static int check_size(struct file *f, size_t n, struct error *err)
{
	f->size += n;
	if (!f->bounded)
		return 0;
	if (f->size > LIMIT_DROP_FILE)
		return error_set(err, REASON_TOO_LARGE,
				 "too large for outpost-drop (more than %u MiB), and no outpostd listens",
				 LIMIT_DROP_FILE >> 20);
	return f->checked && f->size - f->checked < ROOM_STEP ? 0 : check_room(f, err);
}

static int write_out(struct file *f, const char *p, size_t n, struct error *err)
{
	if (check_size(f, n, err) < 0)
		return -1;
	if (io_write_all(f->fd, p, n, DEADLINE_NEVER) < 0)
		return failed("cannot write to " INCOMING_DIR, err);
	return 0;
}

/* Up to `size` bytes, or to the end of the input. */
static ssize_t read_piece(char *p, size_t size, struct error *err)
{
	size_t have = 0;

	while (have < size) {
		int ready = io_wait(STDIN_FILENO, POLLIN, deadline_in_ms(STALL_MS));
		ssize_t got = ready > 0 ? io_read(STDIN_FILENO, p + have, size - have) : -1;

		if (ready == 0)
			return error_set(err, REASON_TIMEOUT, "the submitter sent nothing for %d seconds",
					 STALL_MS / 1000);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got < 0)
			return error_sys(err, REASON_IO, "cannot read the submission");
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int copy_and_check(struct file *f, struct submission_decoder *d, struct error *err)
{
	enum submission_state state = SUBMISSION_MORE;
	static char piece[PIECE];
	ssize_t got;

	while ((got = read_piece(piece, sizeof(piece), err)) > 0) {
		state = submission_decode(d, piece, (size_t)got, err);
		if (state == SUBMISSION_REFUSED || write_out(f, piece, (size_t)got, err) < 0)
			return -1;
	}
	if (got < 0)
		return -1;
	if (state != SUBMISSION_COMPLETE)
		return error_set(err, REASON_BAD_SUBMISSION, "the submission ended before its end record");
	return f->bounded && f->size > ROOM_STEP ? check_room(f, err) : 0;
}

static int write_file(struct drop *d, struct file *f, struct error *err)
{
	struct incoming in = {.uid = d->caller, .arrival = clock_wall_us()};
	struct submission_decoder *decoder = submission_decoder_new(0, NULL, NULL);
	struct buf head;
	int rc = -1;

	buf_init(&head, INCOMING_HEAD);
	if (!decoder || incoming_put_head(&head, &in) < 0)
		error_set(err, REASON_TEMPORARY, "no memory");
	else if (write_out(f, head.data, head.len, err) == 0 && copy_and_check(f, decoder, err) == 0)
		rc = 0;
	if (rc == 0)
		d->queue_only = submission_envelope(decoder, NULL)->queue_only;
	buf_free(&head);
	submission_decoder_free(decoder);
	return rc;
}

static int name_file(struct file *f, const char *name)
{
	char link[64];

	if (f->tmp[0])
		return renameat(f->dir, f->tmp, f->dir, name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, link, f->dir, name, AT_SYMLINK_FOLLOW);
}

/* A name whose directory could not be synced must go again: no message may be there that was refused. */
static int publish(struct file *f, const char *name, struct error *err)
{
	STEP("drop-written");
	if (fdatasync(f->fd) < 0)
		return failed("cannot sync a file in " INCOMING_DIR, err);
	if (name_file(f, name) < 0)
		return failed("cannot name a file in " INCOMING_DIR, err);
	f->tmp[0] = '\0';
	STEP("drop-linked");
	if (fsync(f->dir) == 0)
		return 0;
	failed("cannot sync " INCOMING_DIR, err);
	unlinkat(f->dir, name, 0);
	return -1;
}

int receive(struct drop *d, struct error *err)
{
	struct file f = {.fd = -1, .bounded = !d->own && d->caller != 0 && d->caller != geteuid()};
	int rc = -1;

	f.person = f.bounded ? person_of(d->caller) : d->caller;
	if (incoming_name(clock_wall_us(), d->name, sizeof(d->name)) < 0)
		return error_sys(err, REASON_TEMPORARY, "no random bytes");
	f.dir = open_dir(d, err);
	if (f.dir < 0)
		return -1;
	if (open_file(&f, d->name, err) == 0 && write_file(d, &f, err) == 0)
		rc = publish(&f, d->name, err);
	if (rc < 0 && f.tmp[0])
		unlinkat(f.dir, f.tmp, 0);
	if (f.fd >= 0)
		close(f.fd);
	close(f.dir);
	return rc;
}
