/* start_outpostd.c: starting outpostd --once and hearing why it would not. */
#include "config.h"
#include "outpost/flusher/start_outpostd.h"
#include "outpost/flusher/health.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "base/text/text.h"
#include "control/control.h"

enum { PATIENCE_MS = 30000, LOOK_EVERY_MS = 20, TAKE_IN_MS = 1000, COMING_MS = 4000, LOOKS_BETWEEN = 15,
      OUTPUT_MAX = 64 << 10 };

static pid_t start(const char *conf_dir, bool take_in, int stderr_fd, struct error *err)
{
	char dir[PATH_MAX], mode[] = "--take-in";
	char *argv[] = {(char[]){"outpostd"}, (char[]){"-C"}, dir, (char[]){"-f"}, mode, NULL};
	struct proc_fd fds[] = {{stderr_fd, STDERR_FILENO}};	/* none: its messages go to the log alone */
	struct proc_spec spec = {.ours = "outpostd", .ours_dir = SBINDIR, .argv = argv, .env = step_env(), .fds = fds,
				 .nfds = stderr_fd >= 0 ? 1 : 0, .session = true};

	if (!take_in)
		snprintf(mode, sizeof(mode), "--once");
	if (!realpath(conf_dir, dir))
		return error_sys(err, REASON_CONFIG, "%s", conf_dir);
	return proc_start(&spec, err);
}

/* A line of the log without the "outpost/outpostd[12]: " that it begins with. */
static struct span message_of(struct span line)
{
	const char *cut = memmem(line.p, line.n, "]: ", 3);

	return cut ? (struct span){cut + 3, line.n - (size_t)(cut + 3 - line.p)} : line;
}

/* The last line of its output that is not "done", which follows the reason where the log is standard error. */
static void set_error(struct buf *output, int status, struct error *err)
{
	struct span rest = {buf_str(output), output->len}, line, text = {"", 0};
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	enum reason reason = code == CONTROL_EXIT_BUSY ? REASON_FLUSHER_BUSY : reason_of_exit(code);

	while (span_word(&rest, "\n", &line)) {
		line = message_of(span_trim(line));
		if (line.n > 0 && !span_is(line, "done"))
			text = line;
	}
	if (text.n > 0)
		error_set(err, reason, "%.*s", (int)text.n, text.p);
	else if (WIFSIGNALED(status))
		error_set(err, reason, "outpostd was ended by signal %d", WTERMSIG(status));
	else
		error_set(err, reason, "outpostd ended with status %d without a word", code);
}

bool start_answers(struct context *c)
{
	struct error ignored;
	char path[4096];

	return context_admin_path(c, path, sizeof(path), &ignored) == 0 && sock_answers(path, 1000);
}

static void read_output(int fd, struct buf *output)
{
	char *room;
	ssize_t n;

	while ((room = buf_room(output, 512)) != NULL && (n = io_read(fd, room, 512)) > 0)
		output->len += (size_t)n;
}

static int wait_for(struct context *c, pid_t pid, int output_fd, struct error *err)
{
	deadline until = deadline_in_ms(PATIENCE_MS);
	struct buf output;
	int status, rc = EX_OK;

	buf_init(&output, OUTPUT_MAX);
	while (!start_answers(c)) {
		read_output(output_fd, &output);
		if (waitpid(pid, &status, WNOHANG) == pid) {
			/* Another flusher may have been faster: then it answers now. */
			read_output(output_fd, &output);
			set_error(&output, status, err);
			rc = start_answers(c) ? EX_OK : error_exit(err);
			break;
		}
		if (deadline_over(until)) {
			error_set(err, REASON_TEMPORARY, "outpostd was started but does not answer");
			rc = EX_TEMPFAIL;
			break;
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
	buf_free(&output);
	return rc;
}

/* Where a service manager holds the door's socket, a connection makes it start outpostd as a service rather than in
 * this session. False when that fails. */
static bool activate(struct context *c)
{
	const char *door = conf_str(c->conf, P_door_socket);
	deadline until = deadline_in_ms(PATIENCE_MS);
	int fd = sock_managed(door) ? sock_connect(door, deadline_in_ms(1000)) : -1;
	bool answered = false;

	if (fd < 0)
		return false;
	/* The connection is closed when outpostd cannot be started. */
	while (!(answered = start_answers(c)) && !deadline_over(until) &&
	       io_wait(fd, POLLIN, deadline_in_ms(LOOK_EVERY_MS)) == 0)
		;
	close(fd);
	return answered;
}

int start_once(struct context *c, struct error *err)
{
	int fds[2], rc;
	pid_t pid;

	if (start_answers(c) || activate(c))
		return EX_OK;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		error_sys(err, REASON_SYSTEM, "cannot make a pipe");
		return error_exit(err);
	}
	io_nonblock(fds[0], true);
	pid = start(conf_dir(c->conf), false, fds[1], err);
	close(fds[1]);
	rc = pid < 0 ? error_exit(err) : wait_for(c, pid, fds[0], err);
	close(fds[0]);
	return rc;
}

static bool any_incoming(struct context *c)
{
	return health_count_files(conf_str(c->conf, P_queue_directory), "incoming") > 0;
}

/* A flusher that answers takes them in itself, unless it is shutting down: then it may end before it looks. One that
 * holds the lock and does not answer is starting or shutting down: it is given time before the next attempt. */
void start_take_in(struct context *c)
{
	deadline until = deadline_in_ms(COMING_MS);
	bool served = false;
	struct error ignored = {0};
	int status = 0;
	pid_t pid;

	while (any_incoming(c) && !deadline_over(until)) {
		if (start_answers(c)) {
			until = served ? until : deadline_in_ms(TAKE_IN_MS);
			served = true;
			poll(NULL, 0, LOOK_EVERY_MS);
			continue;
		}
		pid = start(conf_dir(c->conf), true, -1, &ignored);
		status = proc_wait(pid);
		if (pid <= 0 || !WIFEXITED(status) || WEXITSTATUS(status) != CONTROL_EXIT_BUSY)
			return;
		for (int i = 0; i < LOOKS_BETWEEN && any_incoming(c); i++)
			poll(NULL, 0, LOOK_EVERY_MS);
	}
}
