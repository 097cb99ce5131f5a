#include "config.h"
#include "drop/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/process/inherited.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "submission/incoming.h"

/*
 * A flusher that lives watches incoming/ itself and looks once more after it has unlocked, so nothing has to be
 * said to it. (Its lock is not tried: that could make one that is just starting believe another is at work.)
 * Where none lives and no service manager owns the door, one is started that leaves when nothing is
 * left to do. Whatever fails here, the message is safe: it goes with the next queue run.
 */

enum { START_MS = 30 * 1000 };

static bool managed(const struct drop *d)
{
	return !d->own && sock_managed(RUNDIR "/door");
}

/* The admin socket, as it is the queue's and is there under every supervisor. */
static bool answers(const struct drop *d)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/admin", d->queue_dir) >= (int)sizeof(path))
		return false;
	return sock_answers(path, 100) || errno == ETIMEDOUT;
}

/* Why none may be born from this caller's process, in words; false: one may. In a queue of the caller's own all is the
 * caller's. */
static bool is_unfit(const struct drop *d, char *why, size_t size)
{
	const char *limit = inherited_limit();
	uid_t owner;

	if (limit)
		snprintf(why, size, "under the lowered limit of %s", limit);
	else if (!d->own && inherited_is_slow())
		snprintf(why, size, "at the low priority of the caller (nice, chrt)");
	else if (!d->own && inherited_cgroup(&owner))
		snprintf(why, size, "in a control group of uid %u", (unsigned)owner);
	else
		return false;
	return true;
}

/* said: where its words go, or -1. */
static pid_t start(const struct drop *d, int said, struct error *err)
{
	char path[4096], once[] = "--once", conf_option[] = "-C", conf[4096], name[] = "outpostd";
	char *own[] = {name, conf_option, conf, once, NULL}, *system[] = {name, once, NULL};
	const struct proc_fd fds[] = {{said, STDERR_FILENO}};
	struct proc_spec spec = {.path = path, .argv = d->conf_dir ? own : system, .env = step_env(), .session = true,
				.fds = fds, .nfds = said >= 0 ? 1 : 0};

	if (!io_program_path("outpostd", SBINDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpostd is too long");
	if (snprintf(conf, sizeof(conf), "%s", d->conf_dir ? d->conf_dir : "") >= (int)sizeof(conf))
		return error_set(err, REASON_SYSTEM_FILE, "the path of the configuration is too long");
	return proc_start(&spec, err);
}

/* It goes into the background when it listens, and closes its standard error then; or it says why it can't. */
static int hear(pid_t pid, int fd, struct error *err)
{
	deadline until = deadline_in_ms(START_MS);
	int status = 0, code;
	char said[400];
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && have < sizeof(said) - 1 && io_wait(fd, POLLIN, until) > 0) {
		n = io_read(fd, said + have, sizeof(said) - 1 - have);
		have += n > 0 ? (size_t)n : 0;
	}
	if (deadline_over(until))
		return error_set(err, REASON_TEMPORARY, "outpostd was started but does not answer");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	if (code == EX_OK)
		return 0;
	said[have] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return error_set(err, reason_of_exit(code), *said ? "%s" : "outpostd ended without a word%s", said);
}

int flusher_start(const struct drop *d, struct error *err)
{
	char unfit[100];
	int fds[2], rc;
	pid_t pid;

	if (managed(d))
		return error_set(err, REASON_UNAVAILABLE,
				 "the service manager has outpostd's door (systemctl status outpost.socket)");
	if (answers(d))
		return 0;
	if (is_unfit(d, unfit, sizeof(unfit)))
		return error_set(err, REASON_UNAVAILABLE, "not %s", unfit);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	pid = start(d, fds[1], err);
	close(fds[1]);
	rc = pid < 0 ? -1 : hear(pid, fds[0], err);
	close(fds[0]);
	return rc;
}

void flusher_wake(const struct drop *d, char *said, size_t size)
{
	struct error err;
	char unfit[100];

	snprintf(said, size, SUBMISSION_QUEUED INCOMING_DIR "/%s (it has no id until outpostd takes it in)", d->name);
	if (d->queue_only || managed(d) || (d->own && !d->conf_dir) || answers(d))
		return;
	if (is_unfit(d, unfit, sizeof(unfit)))
		snprintf(said, size,
			 SUBMISSION_QUEUED INCOMING_DIR "/%s; no flusher was started %s: it goes with the next queue "
			 "run",
			 d->name, unfit);
	else if (start(d, -1, &err) < 0)
		snprintf(said, size,
			 SUBMISSION_QUEUED INCOMING_DIR
			 "/%s; no flusher could be started (%s): it goes with the next queue run",
			 d->name, err.text);
}
