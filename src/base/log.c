#include "config.h"
#include "base/log.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, SYSLOG_WAIT_MS = 2000, SYSLOG_RETRY_MS = 5000 };

static struct {
	enum log_target target;
	char name[64];
	char path[1024];
	char host[256];	/* for files: without its domain */
	int fd;		/* the file, or the socket of syslog */
	unsigned lost;	/* lines that syslog did not take */
	deadline wait_again_at;	/* a syslogd that did not answer is not waited for before */
} state = {.target = LOG_TO_STDERR, .name = "outpost", .fd = -1};

/* /dev/log is spoken to directly: the C library's syslog(3) can't change its tag and pid per line. */
static int syslog_connect(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int open_target(void)
{
	if (state.target == LOG_TO_FILE)
		return open(state.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	return state.target == LOG_TO_SYSLOG ? syslog_connect() : -1;
}

static void change_to(int fd)
{
	if (state.fd >= 0)
		close(state.fd);
	state.fd = fd;
}

int log_reopen(void)
{
	int fd = open_target();

	if (fd < 0 && state.target == LOG_TO_FILE && state.fd >= 0)
		return -1;
	change_to(fd);
	return 0;
}

int log_open(enum log_target target, const char *name, const char *path)
{
	state.target = target;
	snprintf(state.name, sizeof(state.name), "%s", name && *name ? name : "outpost");
	snprintf(state.path, sizeof(state.path), "%s", path ? path : "");
	if (gethostname(state.host, sizeof(state.host) - 1) < 0)
		snprintf(state.host, sizeof(state.host), "localhost");
	state.host[strcspn(state.host, ".")] = '\0';
	change_to(open_target());
	return target == LOG_TO_FILE && state.fd < 0 ? -1 : 0;
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_WARN:
		return "warning: ";
	case LOG_FAIL:
		return "error: ";
	default:
		return "";
	}
}

/* RFC 3164 priorities of facility mail (2). */
static int level_priority(enum log_level level)
{
	static const int severity[] = {
		[LOG_DEBUGGING] = 7, [LOG_INFORMATION] = 6, [LOG_WARN] = 4, [LOG_FAIL] = 3};

	return 2 * 8 + severity[level];
}

static void stamp(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(out, size, "%b %e %H:%M:%S", &tm))
		snprintf(out, size, "?");
}

static void emit(int fd, const struct buf *line)
{
	ssize_t n;

	do
		n = write(fd, line->data, line->len);
	while (n < 0 && errno == EINTR);
}

static ssize_t send_line(const struct buf *line)
{
	ssize_t n;

	do
		n = send(state.fd, line->data, line->len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Its queue is short (ten lines where nobody made it longer), so it is given a moment; but a syslogd that stands still
 * must not hold the mail. */
static bool deliver(const struct buf *line)
{
	ssize_t n = send_line(line);

	if (n < 0 && errno == EAGAIN && deadline_over(state.wait_again_at)) {
		if (io_wait(state.fd, POLLOUT, deadline_in_ms(SYSLOG_WAIT_MS)) <= 0)
			state.wait_again_at = deadline_in_ms(SYSLOG_RETRY_MS);
		n = send_line(line);
	}
	if (n < 0 && errno != EAGAIN) {
		log_reopen(); /* syslogd was restarted */
		if (state.fd >= 0)
			n = send_line(line);
	}
	return n >= 0;
}

static void emit_syslog(enum log_level level, const char *when, const struct buf *body)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES + 256);
	if (state.lost) {
		buf_addf(&line, "<%d>%s %s/log[%d]: warning: %u lines were lost: syslog did not take them",
			 level_priority(LOG_WARN), when, state.name, (int)getpid(), state.lost);
		if (deliver(&line))
			state.lost = 0;
		buf_reset(&line);
	}
	buf_addf(&line, "<%d>%s %s", level_priority(level), when, buf_str(body));
	if (state.lost || !deliver(&line))
		state.lost++;
	buf_free(&line);
}

static void emit_text(const char *when, const struct buf *body)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES + 512);
	if (state.target == LOG_TO_FILE)
		buf_addf(&line, "%s %s ", when, state.host);
	buf_addf(&line, "%s\n", buf_str(body));
	emit(state.fd >= 0 ? state.fd : STDERR_FILENO, &line);
	buf_free(&line);
}

void log_line(enum log_level level, const char *part, pid_t pid, const char *fmt, ...)
{
	struct buf raw, body;
	char when[32];
	va_list ap;
	int saved = errno;

	if (level == LOG_DEBUGGING)
		return;
	buf_init(&raw, 64 * 1024);
	buf_init(&body, LINE_MAX_BYTES);
	va_start(ap, fmt);
	buf_addv(&raw, fmt, ap);
	va_end(ap);
	buf_addf(&body, "%s/%s[%d]: %s", state.name, part, (int)(pid ? pid : getpid()), level_word(level));
	text_printable(&body, buf_str(&raw), raw.len, LINE_MAX_BYTES - body.len - 8);
	stamp(when, sizeof(when));
	if (state.target == LOG_TO_SYSLOG && state.fd < 0)
		log_reopen(); /* it was not there, or away for a moment */
	if (state.target == LOG_TO_SYSLOG && state.fd >= 0)
		emit_syslog(level, when, &body);
	else
		emit_text(when, &body);
	buf_free(&raw);
	buf_free(&body);
	errno = saved;
}
