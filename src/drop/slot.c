#include "config.h"
#include "drop/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/process/person.h"

/*
 * A person has SLOTS processes of the drop at a time. A slot is a byte of the file "slots" in the queue directory,
 * locked until the process ends, however it ends; nothing is ever written to the file.
 *
 * It is taken before the effective ids become the real ones: a process that waits for one still counts against the
 * limits of its caller (RLIMIT_NPROC), and a caller that stops it stops only its own.
 */
enum { SLOTS = 16, WAIT_MS = 4 * 1000, PAUSE_MS = 20 };

static int open_slots(const struct drop *d)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/slots", d->queue_dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* 1: one is ours. 0: all are taken. */
static int try_slots(int fd, uid_t person)
{
	for (int i = 0; i < SLOTS; i++) {
		struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)person * SLOTS + i,
				     .l_len = 1};

		if (fcntl(fd, F_OFD_SETLK, &byte) == 0)
			return 1;
		if (errno != EAGAIN && errno != EACCES)
			return -1;
	}
	return 0;
}

/* Without its rights it fails here as well as later: rights.c has the words for that. */
static bool is_answered_later(void)
{
	return errno == EACCES || errno == EPERM || errno == ENOENT || errno == ENOTDIR;
}

int slot_take(const struct drop *d, struct error *err)
{
	deadline until = deadline_in_ms(WAIT_MS);
	uid_t person;
	int fd, rc;

	if (d->caller == 0 || d->caller == geteuid())
		return 0;
	fd = open_slots(d);
	if (fd < 0)
		return is_answered_later() ? 0 : error_sys(err, REASON_TEMPORARY, "cannot open the file of slots");
	person = person_of(d->caller);
	while ((rc = try_slots(fd, person)) == 0 && !deadline_over(until))
		poll(NULL, 0, PAUSE_MS);
	if (rc > 0)
		return 0;	/* the descriptor, and with it the slot, is kept until the end */
	if (rc < 0)
		error_sys(err, REASON_TEMPORARY, "cannot take a slot");
	else
		error_set(err, REASON_LIMIT, "too many submissions of this user at a time; try again");
	close(fd);
	return -1;
}
