/* list_reader.c: the processes that read, and what is kept of their texts. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/files/trust.h"
#include "base/io.h"
#include "base/log.h"

enum {
	READ_MS = 5 * 1000,
	KEEP_MS = 10 * 1000,
	SILENT_MS = 60 * 1000,		/* a file that was not read in time is not tried again */
	LIST_MAX = 4 << 20,
	READERS_MAX = 32,
};

struct list_file {
	struct outpostd *d;
	char *path;
	bool everybodys;	/* nothing else is read */
	pid_t pid;		/* the process that reads it; 0: none */
	struct watch watch;	/* its pipe */
	struct buf sent;	/* what came of it */
	unsigned read;		/* which reading this is */
	bool silent;
	deadline until;		/* the reading is given up, or its result forgotten */
};

unsigned lists_now(const struct outpostd *d)
{
	return d->lists.reads;
}

void lists_ask(struct outpostd *d, unsigned since)
{
	d->lists.since = since;
	d->lists.awaited = false;
}

bool lists_awaited(const struct outpostd *d)
{
	return d->lists.awaited;
}

/* It must hold nothing of ours, the lock least of all: it may hang for longer than we live. */
static _Noreturn void child(const struct list_file *f, int fd)
{
	struct error err;
	struct buf text;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, STDOUT_FILENO) < 0)
		_exit(EX_OSERR);
	io_close_from(3);
	buf_init(&text, LIST_MAX);
	rc = f->everybodys ? trust_read_everybodys(f->path, &text, &err) :
			     trust_read_public(f->path, &text, NULL, &err);
	_exit(trust_send(STDOUT_FILENO, rc == 0 ? &text : NULL, &err) < 0 ? EX_IOERR : EX_OK);
}

/* The process is reaped with the agents; one that has closed its pipe may be gone, and its number another's. */
static void end_reading(struct list_file *f, bool alive)
{
	if (!f->pid)
		return;
	loop_remove(&f->d->loop, &f->watch);
	close(f->watch.fd);
	if (alive)
		kill(f->pid, SIGKILL);
	f->pid = 0;
}

static void over(struct list_file *f, bool silent)
{
	end_reading(f, silent);
	f->silent = silent;
	f->until = deadline_in_ms(silent ? SILENT_MS : KEEP_MS);
	if (silent)
		log_line(LOG_WARN, "cleanup", 0, "%s: the file system does not answer; mail to this list waits",
			 f->path);
	submissions_lists_read(f->d);
	incoming_lists_read(f->d);
}

static void readable(void *arg, short revents)
{
	struct list_file *f = arg;
	char *room = buf_room(&f->sent, LIMIT_CHUNK);
	ssize_t n = room ? io_read(f->watch.fd, room, LIMIT_CHUNK) : 0;

	(void)revents;
	if (n > 0)
		f->sent.len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		over(f, false);
}

static int start_reading(struct list_file *f, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, REASON_TEMPORARY, "cannot read %s", f->path);
	f->pid = fork();
	if (f->pid == 0)
		child(f, fds[1]);
	close(fds[1]);
	f->watch = (struct watch){.fd = fds[0], .events = POLLIN, .ready = readable, .arg = f};
	if (f->pid < 0 || loop_add(&f->d->loop, &f->watch) < 0) {
		close(fds[0]);
		f->pid = 0;
		f->until = 0;
		return error_set(err, REASON_TEMPORARY, "cannot start a process that reads %s", f->path);
	}
	buf_reset(&f->sent);
	f->read = ++f->d->lists.reads;
	f->silent = false;
	f->until = deadline_in_ms(READ_MS);
	return 0;
}

static void forget(struct lists *l, size_t i)
{
	struct list_file *f = l->files[i];

	end_reading(f, true);
	buf_free(&f->sent);
	free(f->path);
	free(f);
	l->files[i] = l->files[--l->n];
}

/* The one that is to be forgotten first makes room, unless it is being read. */
static bool make_room(struct lists *l)
{
	size_t oldest = l->n;

	for (size_t i = 0; i < l->n; i++)
		if (!l->files[i]->pid && (oldest == l->n || l->files[i]->until < l->files[oldest]->until))
			oldest = i;
	if (oldest == l->n)
		return false;
	forget(l, oldest);
	return true;
}

static struct list_file *file_of(struct outpostd *d, const char *path, bool everybodys)
{
	struct lists *l = &d->lists;
	struct list_file *f;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->files[i]->path, path) == 0 && l->files[i]->everybodys == everybodys)
			return l->files[i];
	if (l->n == LISTS_KEPT && !make_room(l))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f || !(f->path = strdup(path))) {
		free(f);
		return NULL;
	}
	f->d = d;
	f->everybodys = everybodys;
	buf_init(&f->sent, LIST_MAX + LIMIT_CHUNK);
	return l->files[l->n++] = f;
}

static size_t readers(const struct lists *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->files[i]->pid != 0;
	return n;
}

/* A text that was sent, or why not: what is refused today may be in order tomorrow. Only what is not there, or is no
 * list, will not be. */
static int take_sent(const struct list_file *f, struct buf *text, struct error *err)
{
	if (trust_receive(&f->sent, text, err) == 0)
		return 0;
	if (err->reason != REASON_NO_INPUT && err->reason != REASON_DATA)
		err->reason = REASON_TEMPORARY;
	return -1;
}

int lists_include(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err)
{
	struct outpostd *d = arg;
	struct list_file *f = file_of(d, path, everybodys);

	if (!f)
		return error_set(err, REASON_TEMPORARY, "too many lists are being read");
	if (f->silent && !deadline_over(f->until))
		return error_set(err, REASON_TEMPORARY, "%s: the file system does not answer", path);
	if (!f->pid && f->read > d->lists.since && !f->silent)
		return take_sent(f, text, err);
	if (!f->pid && readers(&d->lists) < READERS_MAX && start_reading(f, err) < 0)
		return -1;
	d->lists.awaited = true;
	return error_set(err, REASON_TEMPORARY, "%s is being read", path);
}

deadline lists_deadline(const struct outpostd *d)
{
	deadline first = DEADLINE_NEVER;

	for (size_t i = 0; i < d->lists.n; i++)
		first = deadline_first(first, d->lists.files[i]->until);
	return first;
}

void lists_tick(struct outpostd *d)
{
	struct lists *l = &d->lists;

	for (size_t i = 0; i < l->n; i++) {
		if (!deadline_over(l->files[i]->until))
			continue;
		if (l->files[i]->pid)
			over(l->files[i], true);
		else
			forget(l, i--);
	}
}

void lists_free(struct outpostd *d)
{
	while (d->lists.n)
		forget(&d->lists, 0);
}
