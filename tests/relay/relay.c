/* relay.c: main, the listeners, and the loop. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tests/relay/relay.h"

int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "relay: %s: %s\n", what, why);
	exit(EX_OSERR);
}

/* SECONDS CONNECTION WHO TEXT; control bytes as \xHH, long texts cut. */
void note(struct conn *c, const char *who, const char *p, size_t n)
{
	enum { SHOWN = 1000 };
	FILE *f = c->r->log;

	if (!f)
		return;
	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	fprintf(f, "%.6f %llu %s ", (double)now_us() / 1e6, (unsigned long long)c->number, who);
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		unsigned char b = (unsigned char)p[i];

		if (b < ' ' || b == 127)
			fprintf(f, "\\x%02x", b);
		else
			fputc(b, f);
	}
	fputs(n > SHOWN ? "...\n" : "\n", f);
}

/* ---- listeners */
static int listen_at(const char *bind_to, const char *port_text)
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
	struct sockaddr_in a4 = {.sin_family = AF_INET};
	bool six = strchr(bind_to, ':') != NULL;
	uint64_t port;
	int fd, one = 1;

	if (!strcmp(port_text, "off"))
		return -1;
	if (!text_u64(span_of(port_text), 65535, &port))
		fail("not a port", port_text);
	a4.sin_port = a6.sin6_port = htons((uint16_t)port);
	if (inet_pton(six ? AF_INET6 : AF_INET, bind_to, six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
		fail("not an address", bind_to);
	if (six ? !IN6_IS_ADDR_LOOPBACK(&a6.sin6_addr) : (ntohl(a4.sin_addr.s_addr) >> 24) != 127)
		fail("loopback addresses only", bind_to);
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, six ? (void *)&a6 : (void *)&a4, six ? sizeof a6 : sizeof a4) || listen(fd, 1024))
		fail(port_text, strerror(errno));
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;

	if (fd < 0 || getsockname(fd, (void *)&a, &n))
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

static void tell_ports(const struct relay *r)
{
	const char *path = r->opt.ports_file;
	char tmp[4200];
	FILE *f = stdout;

	if (path) {
		snprintf(tmp, sizeof tmp, "%s.tmp", path);
		f = fopen(tmp, "w");
		if (!f)
			fail(tmp, strerror(errno));
	}
	fprintf(f, "port587 %u\nport465 %u\n", port_of(r->listen587), port_of(r->listen465));
	if (fflush(f))
		fail("ports", strerror(errno));
	if (path && (fclose(f) || rename(tmp, path)))
		fail(path, strerror(errno));
}

static void accept_all(struct relay *r, int listener, bool implicit)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_service(conn_new(r, fd, implicit));
}

/* ---- signals and time */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void take_signals(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		counters_write(r);
		r->leave |= si.ssi_signo != SIGUSR1;
	}
}

static void set_timer(struct relay *r)
{
	struct itimerspec it = {0};
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < r->nconns; i++) {
		int64_t t = conn_next(r->conns[i]);

		next = t < next ? t : next;
	}
	if (next != INT64_MAX) {
		next = next > 1 ? next : 1;
		it.it_value.tv_sec = next / 1000000;
		it.it_value.tv_nsec = next % 1000000 * 1000;
	}
	timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &it, NULL);
}

static void serve_due(struct relay *r)
{
	uint64_t ticks;

	if (read(r->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
		fail("timer", strerror(errno));
	for (size_t i = r->nconns; i-- > 0;)
		if (i < r->nconns && conn_next(r->conns[i]) <= r->now)
			conn_service(r->conns[i]);
}

/* ---- the loop. Descriptors of our own are known by their address in *r. */
static void watch(struct relay *r, int *fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};

	if (*fd >= 0)
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, *fd, &ev);
}

/* A connection may be freed only by its own event: timers are served after all others of the turn. */
static void loop(struct relay *r)
{
	struct epoll_event ev[64];

	while (!r->leave) {
		bool due = false;
		int n;

		set_timer(r);
		n = epoll_wait(r->epoll, ev, 64, -1);
		r->now = now_us();
		for (int i = 0; i < n; i++) {
			void *p = ev[i].data.ptr;

			if (p == &r->signals)
				take_signals(r);
			else if (p == &r->timer)
				due = true;
			else if (p == &r->listen587)
				accept_all(r, r->listen587, false);
			else if (p == &r->listen465)
				accept_all(r, r->listen465, true);
			else if (ev[i].events & (EPOLLHUP | EPOLLERR))
				conn_hangup(p);
			else
				conn_service(p);
		}
		if (due)
			serve_due(r);
	}
}

static void set_up_tls(struct relay *r)
{
	const char *at;
	int rc;

	if (gnutls_priority_init(&r->priority, r->opt.priority, &at) < 0)
		fail("priority string not understood at", at);
	gnutls_certificate_allocate_credentials(&r->cred);
	for (size_t i = 0; i < r->opt.certs; i++) {
		rc = gnutls_certificate_set_x509_key_file(r->cred, r->opt.cert[i], r->opt.key[i], GNUTLS_X509_FMT_PEM);
		if (rc < 0)
			fail(r->opt.cert[i], gnutls_strerror(rc));
	}
	if (r->opt.client_ca) {
		rc = gnutls_certificate_set_x509_trust_file(r->cred, r->opt.client_ca, GNUTLS_X509_FMT_PEM);
		if (rc <= 0)
			fail(r->opt.client_ca, rc ? gnutls_strerror(rc) : "no certificate in it");
	}
}

static void set_up(struct relay *r)
{
	struct error err;

	if (r->opt.dialogue && dialogue_load(r->opt.dialogue, &r->dialogue, &err))
		fail("dialogue", err.text);
	if (r->opt.dump && mkdir(r->opt.dump, 0755) && errno != EEXIST)
		fail(r->opt.dump, strerror(errno));
	if (r->opt.log && !(r->log = fopen(r->opt.log, "ae")))
		fail(r->opt.log, strerror(errno));
	if (r->log)
		setvbuf(r->log, NULL, _IOLBF, 1 << 16);
	if (r->opt.die_with)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	set_up_tls(r);
	if (auth_init(r))
		fail("libgsasl", "cannot start");
	r->listen587 = listen_at(r->opt.bind, r->opt.port587);
	r->listen465 = r->opt.certs ? listen_at(r->opt.bind, r->opt.port465) : -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	watch(r, &r->signals);
	watch(r, &r->timer);
	watch(r, &r->listen587);
	watch(r, &r->listen465);
}

int main(int argc, char **argv)
{
	static struct relay r;

	options_parse(&r.opt, argc, argv);
	r.signals = catch_signals();
	r.now = now_us();
	set_up(&r);
	tell_ports(&r);
	loop(&r);
	while (r.nconns)
		conn_free(r.conns[0]);
	gnutls_certificate_free_credentials(r.cred);
	gnutls_priority_deinit(r.priority);
	gsasl_done(r.sasl);
	return 0;
}
