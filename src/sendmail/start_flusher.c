#include "config.h"
#include "sendmail/start_flusher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/step.h"
#include "submission/submission.h"

enum { PATIENCE_MS = 60 * 1000, ANSWER_MAX = 2048 };

static int read_answer(int fd, struct error *answer)
{
	deadline until = deadline_in_ms(PATIENCE_MS);
	char line[ANSWER_MAX];
	size_t have = 0;
	ssize_t n = 0;
	char *nl;

	while (have < sizeof(line) && io_wait(fd, POLLIN, until) > 0 &&
	       (n = io_read(fd, line + have, sizeof(line) - have)) > 0)
		have += (size_t)n;
	nl = memchr(line, '\n', have);
	if (!nl || submission_get_answer(line, (size_t)(nl - line), answer) < 0)
		return error_set(answer, REASON_TEMPORARY, "it ended without an answer");
	return answer->reason ? -1 : 0;
}

int start_flusher(struct error *err)
{
	char path[4096], name[] = "outpost-drop", verb[] = "wake";
	char *argv[] = {name, verb, NULL};
	struct proc_fd fds[] = {{-1, STDOUT_FILENO}};
	struct proc_spec spec = {.path = path, .argv = argv, .env = step_env(), .fds = fds, .nfds = 1};
	int pair[2], rc;
	pid_t pid;

	if (!io_program_path("outpost-drop", HELPERDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpost-drop is too long");
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	fds[0].from = pair[1];
	pid = proc_start(&spec, err);
	close(pair[1]);
	rc = pid < 0 ? -1 : read_answer(pair[0], err);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}
