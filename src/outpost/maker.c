#include "config.h"
#include "outpost/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_ROOM = 64 };

static int make(int dir, const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.";

	if (name[0] == '.' || name[strspn(name, letters)]) {
		errno = EINVAL;
		return -1;
	}
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Room for one descriptor beside a message. */
union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* errno, and the descriptor when that is 0. */
static bool answer(int fd, int file, int failure)
{
	union control control = {{0}};
	struct iovec iov = {&failure, sizeof(failure)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (file >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &file, sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(failure);
}

/* The process: until the other side closes. */
static void serve(int fd, int dir)
{
	char name[NAME_ROOM];
	ssize_t n;
	bool ok = true;

	while (ok && (n = recv(fd, name, sizeof(name) - 1, 0)) > 0) {
		int file, failure;

		name[n] = '\0';
		file = make(dir, name);
		failure = file < 0 ? errno : 0;
		ok = answer(fd, file, failure);
		if (file >= 0)
			close(file);
	}
	_exit(0);
}

int maker_start(struct maker *m, const char *dir, struct error *err)
{
	int pair[2];

	*m = (struct maker){open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, 0};
	if (m->dir < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "%s", dir);
	if (geteuid() != 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a socket pair");
	m->pid = fork();
	if (m->pid == 0) {
		close(pair[0]);
		serve(pair[1], m->dir);
	}
	close(pair[1]);
	m->fd = pair[0];
	return m->pid < 0 ? error_sys(err, REASON_SYSTEM, "cannot fork") : 0;
}

static int ask(int fd, const char *name)
{
	union control control = {{0}};
	int failure = 0, file = -1;
	struct iovec iov = {&failure, sizeof(failure)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c;

	if (send(fd, name, strlen(name), MSG_NOSIGNAL) < 0)
		return -1;
	if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(failure)) {
		errno = EPIPE;
		return -1;
	}
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&file, CMSG_DATA(c), sizeof(int));
	errno = failure;
	return file;
}

int maker_file(struct maker *m, const char *name, struct error *err)
{
	int file = m->fd >= 0 ? ask(m->fd, name) : make(m->dir, name);

	return file < 0 ? error_sys(err, REASON_CANNOT_CREATE, "cannot make %s", name) : file;
}

void maker_stop(struct maker *m)
{
	if (m->dir >= 0)
		close(m->dir);
	if (m->fd >= 0)
		close(m->fd);
	while (m->pid > 0 && waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
