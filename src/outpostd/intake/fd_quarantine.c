/*
 * fd_quarantine.c: a descriptor that is sent along with bytes is closed by the process that takes these bytes out
 * of the socket, or closes the socket with the bytes in it; and closing a stranger's file (FUSE, SO_LINGER) may
 * take for ever. So bytes are looked at first: the kernel reports when a descriptor hangs on them. Such a socket is
 * given to a process that does nothing but keep it, and may hang in its place. One such process keeps many, so that
 * nobody makes us start one for each. From Linux 6.16 on the kernel refuses descriptors at the sender
 * (SO_PASSRIGHTS), and none of this is needed.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/process/proc.h"
#include "base/sock.h"

enum { KEEPS_MAX = 900, REPORT_AGAIN_MS = 60 * 1000 };	/* the usual descriptor limit of a process is 1024 */

/* How many bytes are there, without taking them; EBADMSG when there is more to them than bytes. */
static ssize_t look(int fd, void *p, size_t n)
{
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t got = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);

	if (got >= 0 && (m.msg_flags & MSG_CTRUNC)) {
		errno = EBADMSG;
		return -1;
	}
	return got;
}

/* No more than was looked at is taken: what came since may be worse. */
ssize_t quarantine_read(int fd, void *p, size_t n)
{
	ssize_t got;

	if (sock_refuses_descriptors(fd))
		return recv(fd, p, n, MSG_DONTWAIT);
	got = look(fd, p, n);
	return got > 0 ? recv(fd, p, (size_t)got, MSG_DONTWAIT) : got;
}

/* The keeper: given such sockets it keeps them open until it ends. It ends when we do, or when another takes its
 * place; that may take for ever. */
static int start_keeper(int fd, struct error *err)
{
	static char *const argv[] = {(char *)(uintptr_t)"outpostd", (char *)(uintptr_t)"--keep-descriptors", NULL};
	const struct proc_fd fds[] = {{fd, 0}};
	char path[4096];

	if (!io_program_path("outpostd", SBINDIR, path, sizeof(path)))
		return -1;
	return proc_start(&(struct proc_spec){.path = path, .argv = argv, .fds = fds, .nfds = 1, .session = true}, err);
}

/* What it receives it never looks at. More than one process may hold is closed by the kernel in its name. */
int quarantine_keep(void)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&byte, 1};

	for (;;) {
		struct msghdr m =
			{.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(0, &m, MSG_CMSG_CLOEXEC);

		if (n == 0 || (n < 0 && errno != EINTR))
			return EX_OK;
	}
}

static int new_keeper(struct fd_quarantine *q)
{
	struct error err = {0};
	int pair[2];

	if (q->keeper >= 0)
		close(q->keeper);
	q->keeper = -1;
	q->given = 0;
	if (sock_pair(pair) < 0)
		return -1;
	if (start_keeper(pair[1], &err) > 0)
		q->keeper = pair[0];
	else
		close(pair[0]);
	close(pair[1]);
	return q->keeper < 0 ? -1 : 0;
}

static bool give(struct fd_quarantine *q, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec v = {(char[]){'x'}, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(q->keeper, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static void report(struct fd_quarantine *q, uid_t uid)
{
	if (q->reported && q->uid == uid && !deadline_over(q->reported))
		return;
	q->reported = deadline_in_ms(REPORT_AGAIN_MS);
	q->uid = uid;
	log_line(LOG_WARN, "pickup", 0, "uid %u sent a file descriptor to the door; its connection is dropped",
		 (unsigned)uid);
}

/* If the keeper takes no more (it hangs with what it could not keep) there is another. Where even that fails the socket
 * stays open, which costs a descriptor and nobody's time. */
static void dispose(struct fd_quarantine *q, int fd, uid_t uid)
{
	report(q, uid);
	shutdown(fd, SHUT_RDWR); /* the end of it for the other side, though it is not closed */
	if (q->keeper < 0 || q->given >= KEEPS_MAX || !give(q, fd))
		if (new_keeper(q) < 0 || !give(q, fd))
			return;
	q->given++;
	close(fd);
}

void quarantine_open(struct outpostd *d)
{
	d->quarantine = (struct fd_quarantine){.keeper = -1};
}

void quarantine_end(struct outpostd *d)
{
	if (d->quarantine.keeper >= 0)
		close(d->quarantine.keeper);
	d->quarantine.keeper = -1;
}

void quarantine_close(struct outpostd *d, int fd, uid_t uid)
{
	char bytes[16384];
	ssize_t got;

	if (sock_refuses_descriptors(fd)) {
		close(fd);
		return;
	}
	shutdown(fd, SHUT_RD); /* nothing more comes in while we look */
	do
		got = quarantine_read(fd, bytes, sizeof(bytes));
	while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 && errno == EBADMSG)
		dispose(&d->quarantine, fd, uid);
	else
		close(fd);
}
