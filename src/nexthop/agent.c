#include "config.h"
#include "nexthop/nexthop.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"

#include <stdint.h>
#include <unistd.h>

pid_t nexthop_start_agent(int lock_fd, int *fd, struct error *err)
{
	static char *const argv[] = {(char *)(uintptr_t)"outpost-smtp", NULL};
	struct proc_fd fds[] = {{-1, DELIVERY_FD}, {lock_fd, DELIVERY_FD + 1}};
	int pair[2];
	pid_t pid;

	if (sock_pair(pair) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a socket pair");
	fds[0].from = pair[1];
	pid = proc_start(&(struct proc_spec){.ours = "outpost-smtp", .ours_dir = HELPERDIR, .argv = argv,
					     .env = step_env(), .fds = fds,
					     .nfds = lock_fd >= 0 ? 2 : 1, .die_with_parent = true}, err);
	close(pair[1]);
	if (pid > 0 && io_nonblock(pair[0], true) < 0)
		error_sys(err, REASON_SYSTEM, "cannot set a socket non-blocking");
	else if (pid > 0) {
		*fd = pair[0];
		return pid;
	}
	close(pair[0]);
	return -1;
}
