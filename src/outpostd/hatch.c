/*
 * hatch.c: reading and closing a stranger's socket. A descriptor that is sent along with the bytes is closed by whoever
 * takes these bytes out of the socket, or closes the socket with the bytes in it, whether he wanted it or not; and
 * closing somebody else's file (FUSE, SO_LINGER) may take for ever. So bytes are looked at first: the kernel
 * says when a descriptor hangs on them. Such a socket is given to a process that does nothing but end, and
 * the closing is that process's trouble.
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
#include "base/proc.h"

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
ssize_t hatch_read(int fd, void *p, size_t n)
{
	ssize_t got = look(fd, p, n);

	return got > 0 ? recv(fd, p, (size_t)got, MSG_DONTWAIT) : got;
}

/* It must not end before we have closed our side of the socket, or we would be the last: it waits for the end of its
 * standard input. */
static int start_process(int fd, int gate, struct error *err)
{
	static char *const argv[] = {(char *)(uintptr_t)"outpostd", (char *)(uintptr_t)"--hatch", NULL};
	const struct proc_fd fds[] = {{gate, 0}, {fd, 3}};
	char path[4096];

	if (!io_program_path("outpostd", SBINDIR, path, sizeof(path)))
		return -1;
	return proc_start(&(struct proc_spec){.path = path, .argv = argv, .fds = fds, .nfds = 2, .session = true}, err);
}

int hatch_wait(void)
{
	char c;

	while (read(0, &c, 1) > 0)
		;
	return EX_OK;
}

/* Without a process to be had it stays open, which costs a descriptor and nobody's time. */
static void dispose(int fd, uid_t uid)
{
	struct error err = {0};
	int gate[2];

	log_line(LOG_WARN, "pickup", 0, "uid %u sent a file descriptor to the door; its connection is dropped", (unsigned)uid);
	if (pipe2(gate, O_CLOEXEC) < 0)
		return;
	if (start_process(fd, gate[0], &err) > 0)
		close(fd);
	close(gate[0]);
	close(gate[1]);
}

void hatch_close(int fd, uid_t uid)
{
	char bytes[16384];
	ssize_t got;

	shutdown(fd, SHUT_RD); /* nothing more comes in while we look */
	do
		got = hatch_read(fd, bytes, sizeof(bytes));
	while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 && errno == EBADMSG)
		dispose(fd, uid);
	else
		close(fd);
}
