#include "config.h"
#include "base/sock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASK_MS = 1000 };

/* Fills *sa with a name that fits; *dir is a descriptor that has to stay open until it was used, or -1. */
static int sock_address(const char *path, struct sockaddr_un *sa, int *dir)
{
	const char *slash = strrchr(path, '/');
	char parent[4096];
	int n;

	*dir = -1;
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path) + 1);
		return 0;
	}
	n = slash ? snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path) : 0;
	if (!slash || n >= (int)sizeof(parent)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	*dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return -1;
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *dir, slash + 1);
	if (n < (int)sizeof(sa->sun_path))
		return 0;
	close(*dir);
	errno = ENAMETOOLONG;
	return -1;
}

/* Whether a listener lives there. One that ended may leave its socket open in a child that knows nothing of it: the
 * kernel goes on taking connections, but names the process that is gone. */
static bool is_living(const char *path)
{
	int fd = sock_connect(path, deadline_in_ms(ASK_MS));
	pid_t pid = 0;
	bool gone;

	if (fd < 0)
		return errno == ETIMEDOUT;
	gone = sock_peer(fd, NULL, NULL, &pid) == 0 && pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
	close(fd);
	return !gone;
}

static int bind_and_listen(int fd, const char *path, mode_t mode)
{
	struct sockaddr_un sa;
	struct stat st;
	int dir, rc = -1;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (is_living(path)) {
			errno = EADDRINUSE;
			return -1;
		}
		unlink(path);
	}
	if (sock_address(path, &sa, &dir) < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && chmod(path, mode) == 0 && listen(fd, 4096) == 0)
		rc = 0;
	if (dir >= 0)
		close(dir);
	return rc;
}

int sock_listen(const char *path, mode_t mode, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind_and_listen(fd, path, mode) == 0)
		return fd;
	error_sys(err, REASON_CANNOT_CREATE, "cannot listen at %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A full backlog of a Unix socket is EAGAIN, and poll can't tell when there is room: try again soon. */
static int connect_until(int fd, const struct sockaddr_un *sa, deadline until)
{
	while (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
		if (errno == EISCONN)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		if (deadline_over(until)) {
			errno = ETIMEDOUT;
			return -1;
		}
		poll(NULL, 0, 5);
	}
	return 0;
}

int sock_connect(const char *path, deadline until)
{
	struct sockaddr_un sa;
	int dir, fd, saved;

	if (sock_address(path, &sa, &dir) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect_until(fd, &sa, until) < 0) {
		saved = errno;
		close(fd);
		fd = -1;
		errno = saved;
	}
	saved = errno;
	if (dir >= 0)
		close(dir);
	errno = saved;
	return fd;
}

bool sock_answers(const char *path, int64_t patience)
{
	int fd = sock_connect(path, deadline_in_ms(patience));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool sock_managed(const char *path)
{
	const char *slash = strrchr(path, '/');
	char mark[4096];
	int n = slash ? snprintf(mark, sizeof(mark), "%.*s/managed", (int)(slash - path), path) : 0;

	return n > 0 && (size_t)n < sizeof(mark) && access(mark, F_OK) == 0;
}

int sock_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

int sock_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred c;
	socklen_t n = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
		return -1;
	if (uid)
		*uid = c.uid;
	if (gid)
		*gid = c.gid;
	if (pid)
		*pid = c.pid;
	return 0;
}

int sock_peer_groups(int fd, gid_t *groups, int max)
{
#ifdef SO_PEERGROUPS
	socklen_t n = (socklen_t)((size_t)max * sizeof(gid_t));

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return -1;
	return (int)(n / sizeof(gid_t));
#else
	(void)fd, (void)groups, (void)max;
	return -1;
#endif
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83	/* Linux 6.16 */
#endif

bool sock_refuses_descriptors(int fd)
{
	int passes = 1;
	socklen_t n = sizeof(passes);

	return getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &passes, &n) == 0 && !passes;
}

bool sock_refuse_descriptors(int fd)
{
	const int none = 0;

	return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none)) == 0 && sock_refuses_descriptors(fd);
}
