/* service_manager.c: LISTEN_FDS, NOTIFY_SOCKET and WATCHDOG_USEC, as sd_listen_fds(3), sd_notify(3) and
 * sd_watchdog_enabled(3) have them. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text/text.h"

enum { FIRST_FD = 3, FDS_MAX = 16 };

static uint64_t env_number(const char *name, uint64_t max)
{
	const char *v = getenv(name);
	uint64_t n;

	return v && text_u64(span_of(v), max, &n) ? n : 0;
}

int service_manager_socket(const char *name, int n)
{
	int passed = (int)env_number("LISTEN_FDS", FDS_MAX);
	const char *names = getenv("LISTEN_FDNAMES");
	struct span rest = span_of(names ? names : ""), word;

	if (env_number("LISTEN_PID", INT32_MAX) != (uint64_t)getpid())
		return -1;
	for (int i = 0; i < passed; i++) {
		bool named = span_word(&rest, ":", &word);

		if ((named && !span_is(word, name)) || (!named && i > 0) || n-- > 0)
			continue;
		if (io_nonblock(FIRST_FD + i, true) < 0 || io_cloexec(FIRST_FD + i, true) < 0)
			return -1;
		return FIRST_FD + i;
	}
	return -1;
}

void service_manager_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n == 0 || n >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sa,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		n = 0; /* nothing depends on it */
	close(fd);
}

/* Half of what the service manager allows. */
static int64_t watchdog_ms(void)
{
	uint64_t us = env_number("WATCHDOG_USEC", UINT64_MAX / 2), pid = env_number("WATCHDOG_PID", INT32_MAX);

	return us && (!pid || pid == (uint64_t)getpid()) ? (int64_t)(us / 2000) : 0;
}

deadline watchdog_deadline(struct outpostd *d)
{
	struct watchdog *w = &d->watchdog;

	if (!w->next) {
		w->interval_ms = watchdog_ms();
		w->next = w->interval_ms ? deadline_in_ms(w->interval_ms) : DEADLINE_NEVER;
	}
	return w->next;
}

void watchdog_tick(struct outpostd *d)
{
	if (!deadline_over(watchdog_deadline(d)))
		return;
	service_manager_notify("WATCHDOG=1");
	d->watchdog.next = deadline_in_ms(d->watchdog.interval_ms);
}
