/* smtp_listener.c: the sockets, and a process for each connection. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "base/text/text.h"

enum { SMTP_PORT = 25, BACKLOG = 100 };

#define UID_UNKNOWN ((uid_t)65534) /* nobody */

/* A socket unit that is enabled is asked for: then inet_interfaces must only not name other addresses. */
static bool is_configured(struct outpostd *d)
{
	struct span rest = span_of(conf_str(d->conf, P_inet_interfaces)), word;

	if (d->listener.passed && (!rest.n || span_is(rest, "all")))
		return true;

	while (span_word(&rest, ", \t", &word))
		if (span_is(word, "loopback-only") || span_is(word, "localhost") || span_is(word, "127.0.0.1"))
			return true;
	return false;
}

static int bind_loopback(int family)
{
	struct sockaddr_in v4 =
		{.sin_family = AF_INET, .sin_port = htons(SMTP_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 =
		{.sin6_family = AF_INET6, .sin6_port = htons(SMTP_PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const void *sa = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
	socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, sa, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	on = errno;
	close(fd);
	errno = on;
	return -1;
}

/* A socket unit could be written for any address; beyond this host nothing is ever accepted. */
static bool on_loopback(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return false;
	if (sa.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)&sa)->sin_addr.s_addr) >> 24 == 127;
	return sa.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&sa)->sin6_addr);
}

static bool is_on(const struct listener *l)
{
	return l->socket[0].watch.fd >= 0 || l->socket[1].watch.fd >= 0;
}

/* The service manager's sockets stay its own. */
static void take_passed(struct listener *l)
{
	for (int i = 0; i < 2; i++) {
		int fd = getenv("LISTEN_FDNAMES") ? service_manager_socket("smtp", i) : -1;

		l->passed = l->passed || fd >= 0;
		if (fd >= 0 && !on_loopback(fd)) {
			log_line(LOG_WARN, "smtpd", 0, "a socket for SMTP is not on loopback: it is not used");
			fd = -1;
		}
		l->given[i] = fd;
	}
}

static void get_sockets(struct listener *l)
{
	if (l->passed) {
		l->socket[0].watch.fd = l->given[0];
		l->socket[1].watch.fd = l->given[1];
		return;
	}

	l->socket[0].watch.fd = bind_loopback(AF_INET);
	if (l->socket[0].watch.fd < 0)
		log_line(LOG_WARN, "smtpd", 0, "cannot listen on 127.0.0.1:25: %s%s", strerror(errno),
			 errno != EACCES ? "" :
			 " (with systemd: systemctl stop outpost; systemctl enable --now outpost-loopback.socket; "
			 "otherwise outpostd has to be started as root)");
	l->socket[1].watch.fd = bind_loopback(AF_INET6);
	l->ours = is_on(l);
}

void listener_bind(struct outpostd *d)
{
	struct listener *l = &d->listener;

	l->socket[0].watch.fd = l->socket[1].watch.fd = -1;
	if (d->once || d->take_in)
		return;
	take_passed(l);
	if (is_configured(d))
		get_sockets(l);
	else if (l->passed)
		log_line(LOG_WARN, "smtpd", 0,
			 "a socket for SMTP was passed, but inet_interfaces is not loopback-only");
}

void listener_reload(struct outpostd *d)
{
	struct listener *l = &d->listener;

	if (d->once || d->take_in || is_configured(d) == is_on(l))
		return;
	if (is_on(l)) {
		listener_close(d);
		log_line(LOG_INFORMATION, "smtpd", 0,
			 "SMTP on loopback ends: inet_interfaces is no longer loopback-only");
		return;
	}
	get_sockets(l);
	listener_open(d);
	if (is_on(l))
		log_line(LOG_INFORMATION, "smtpd", 0, "SMTP on loopback begins");
}

static pid_t start_session(struct outpostd *d, int fd, bool probe, struct error *err)
{
	char conf[1024];
	char *argv[] = {(char *)"sendmail", (char *)"-C", conf, (char *)"-bs",
			(char *)(probe ? "--sandbox-probe" : "--sandbox"), NULL};
	const struct proc_fd fds[] = {{fd, 0}, {fd, 1}};
	struct proc_spec spec = {
		.ours = "sendmail", .ours_dir = HELPERDIR, .argv = argv, .env = step_env(), .fds = fds,
		.nfds = probe ? 0 : 2, .session = true,
	};

	snprintf(conf, sizeof(conf), "%s", d->conf_dir);
	return proc_start(&spec, err);
}

static bool has_sandbox(struct outpostd *d)
{
	struct error err;
	int status = 0;
	pid_t pid = start_session(d, -1, true, &err);

	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void turn_away(int fd)
{
	static const char words[] = "421 4.3.2 too many connections\r\n";

	if (send(fd, words, sizeof(words) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	close(fd);
}

/* A place for one more connection of this user, or NULL. */
static struct listener_session *find_place(struct outpostd *d, uid_t uid)
{
	struct listener_session *free_place = NULL;
	uid_t person = person_of_uid(d, uid);
	size_t has = 0;

	for (size_t i = 0; i < LISTENER_SESSIONS; i++) {
		struct listener_session *s = &d->listener.sessions[i];

		if (!s->pid)
			free_place = s;
		else
			has += person_of_uid(d, s->uid) == person;
	}
	return has < LISTENER_SESSIONS / 2 ? free_place : NULL;
}

static void listener_ready(void *arg, short revents)
{
	struct listener_socket *at = arg;
	struct outpostd *d = at->d;
	struct listener_session *s;
	uid_t uid = UID_UNKNOWN;
	struct error err;
	int fd = accept4(at->watch.fd, NULL, NULL, SOCK_CLOEXEC), known;

	(void)revents;
	if (fd < 0)
		return;
	known = sock_peer_tcp(fd, &uid);
	if (known < 0)
		uid = UID_UNKNOWN;
	/* Who hangs up at once is nobody's, and would send what they may not send themselves. */
	s = known == 0 ? NULL : find_place(d, uid);
	if (!s) {
		turn_away(fd);
		return;
	}
	*s = (struct listener_session){start_session(d, fd, false, &err), uid};
	if (s->pid < 0) {
		log_line(LOG_FAIL, "smtpd", 0, "%s", err.text);
		s->pid = 0;
	}
	close(fd);
}

bool listener_serves(const struct outpostd *d, pid_t pid, uid_t *uid)
{
	for (size_t i = 0; i < LISTENER_SESSIONS; i++)
		if (pid > 0 && d->listener.sessions[i].pid == pid) {
			*uid = d->listener.sessions[i].uid;
			return true;
		}
	return false;
}

void listener_open(struct outpostd *d)
{
	struct listener *l = &d->listener;

	if (!is_on(l))
		return;
	if (!has_sandbox(d)) {
		log_line(LOG_WARN, "smtpd", 0, "this kernel has no sandbox (Landlock): SMTP on loopback stays off");
		listener_close(d);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct listener_socket *s = &l->socket[i];

		if (s->watch.fd < 0)
			continue;
		s->d = d;
		s->watch.events = POLLIN;
		s->watch.ready = listener_ready;
		s->watch.arg = s;
		s->added = loop_add(&d->loop, &s->watch) == 0;
	}
}

void listener_close(struct outpostd *d)
{
	for (int i = 0; i < 2; i++) {
		struct listener_socket *s = &d->listener.socket[i];

		if (s->watch.fd < 0)
			continue;
		if (s->added)
			loop_remove(&d->loop, &s->watch);
		if (!d->listener.passed)
			close(s->watch.fd);
		s->watch.fd = -1;
		s->added = false;
	}
	d->listener.ours = false;
}

void listener_reaped(struct outpostd *d, pid_t pid)
{
	for (size_t i = 0; i < LISTENER_SESSIONS; i++)
		if (d->listener.sessions[i].pid == pid)
			d->listener.sessions[i].pid = 0;
}
