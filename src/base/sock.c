#include "config.h"
#include "base/sock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static int tcp_end(int (*get)(int fd, struct sockaddr *sa, socklen_t *n), int fd, __be32 *address, __be16 *port)
{
	struct sockaddr_storage sa = {0};
	const struct sockaddr_in *v4 = (void *)&sa;
	const struct sockaddr_in6 *v6 = (void *)&sa;
	socklen_t n = sizeof(sa);

	if (get(fd, (struct sockaddr *)&sa, &n) < 0)
		return -1;
	*port = sa.ss_family == AF_INET ? v4->sin_port : v6->sin6_port;
	if (sa.ss_family == AF_INET)
		memcpy(address, &v4->sin_addr, sizeof(v4->sin_addr));
	else
		memcpy(address, &v6->sin6_addr, sizeof(v6->sin6_addr));
	return sa.ss_family;
}

struct diag_request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 about;
};

/* The kernel answers before send returns. A listener that happens to be at the port of an end that is gone tells
 * nothing. */
static int ask_diag(const struct diag_request *r, uid_t *uid)
{
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	const struct inet_diag_msg *m = NLMSG_DATA(&answer.head);
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t n = -1;

	if (fd >= 0 && send(fd, r, sizeof(*r), 0) == (ssize_t)sizeof(*r))
		n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(*m)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    m->id.idiag_dport != r->about.id.idiag_dport)
		return -1;
	*uid = m->idiag_uid;
	return m->idiag_inode ? 1 : 0;
}

/* Where the kernel cannot be asked: an end that says it will send no more may be gone. */
static bool is_open(int fd)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 || info.tcpi_state == TCP_ESTABLISHED;
}

int sock_peer_tcp(int fd, uid_t *uid)
{
	struct diag_request r = {
		.head = {.nlmsg_len = sizeof(r), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
		.about = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u,
			  .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
	};
	struct inet_diag_sockid *id = &r.about.id;
	int family = tcp_end(getpeername, fd, id->idiag_src, &id->idiag_sport), rc;

	if (family < 0)
		return errno == ENOTCONN ? 0 : -1;
	if (tcp_end(getsockname, fd, id->idiag_dst, &id->idiag_dport) != family)
		return -1;
	r.about.sdiag_family = (__u8)family;
	rc = ask_diag(&r, uid);
	return rc < 0 && !is_open(fd) ? 0 : rc;
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
