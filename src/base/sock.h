/*
 * sock.h: Unix stream sockets whose path may be longer than sockaddr_un holds (they are reached
 * through a descriptor of their directory, /proc/self/fd/N/name).
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"

/* Listens at path, with this mode. An old socket there is removed first, unless somebody still listens at it
 * (EADDRINUSE). Non-blocking, close-on-exec. Returns the descriptor or -1. */
int sock_listen(const char *path, mode_t mode, struct error *err);

/* Connects until the deadline; the descriptor is non-blocking and close-on-exec. -1 with errno kept
 * (ENOENT and ECONNREFUSED: nobody listens). */
int sock_connect(const char *path, deadline until);

/* Whether a connection is taken there within so many milliseconds. If not, errno is kept: ETIMEDOUT where somebody
 * listens who has no time. */
bool sock_answers(const char *path, int64_t patience);

/* Whether a service manager keeps this socket: a file called "managed" beside it says so. Nobody else binds it then,
 * and a knock at it has outpostd started. */
bool sock_managed(const char *path);

/* A connected pair, close-on-exec. */
int sock_pair(int fds[2]);

/* Who connected: uid, gid and pid by SO_PEERCRED. Pointers may be NULL. */
int sock_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid);

/* The same for a TCP connection from a process of this machine (NETLINK_SOCK_DIAG): 1, and the uid that made its end.
 * 0: that end is closed by now, and whoever closed it is not to be found. -1: the kernel cannot be asked. */
int sock_peer_tcp(int fd, uid_t *uid);

/* The supplementary groups of the peer (SO_PEERGROUPS), at most max; returns how many, -1 if unknown. */
int sock_peer_groups(int fd, gid_t *groups, int max);

/* Linux 6.16 and later: the kernel refuses descriptors that are sent to this listening socket, and to the connections
 * that come in by it from now on (sendmsg fails with EPERM). False where the kernel cannot. */
bool sock_refuse_descriptors(int fd);
/* Whether it is so for this connection: it is not for one that came in before. */
bool sock_refuses_descriptors(int fd);

#endif
