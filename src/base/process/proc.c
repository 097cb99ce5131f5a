#include "config.h"
#include "base/process/proc.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOVE_MAX = 16 };

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First lifts every source above all targets, then puts each in its place: no target can overwrite a
 * source that is still wanted. report ends up right behind the highest target. */
static int place_fds(const struct proc_spec *spec, int *report)
{
	int lifted[MOVE_MAX], top = 2;

	if (spec->nfds > MOVE_MAX)
		return -1;
	for (size_t i = 0; i < spec->nfds; i++)
		if (spec->fds[i].to > top)
			top = spec->fds[i].to;
	for (size_t i = 0; i < spec->nfds; i++) {
		lifted[i] = fcntl(spec->fds[i].from, F_DUPFD, top + 2);
		if (lifted[i] < 0)
			return -1;
	}
	*report = fcntl(*report, F_DUPFD_CLOEXEC, top + 2);
	if (*report < 0)
		return -1;
	for (int fd = 0; fd <= top; fd++)
		close(fd);
	for (size_t i = 0; i < spec->nfds; i++)
		if (dup2(lifted[i], spec->fds[i].to) < 0)
			return -1;
	if (io_standard_fds() < 0 || dup2(*report, top + 1) < 0)
		return -1;
	*report = top + 1;
	io_close_from(top + 2);
	return io_cloexec(*report, true);
}

static void child(const struct proc_spec *spec, int report, pid_t parent)
{
	static char *const plain[] = {(char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int why;

	default_signals();
	if (spec->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EX_OSERR);
	}
	if (spec->session && (setsid() < 0 || chdir("/") < 0))
		goto fail;
	if (place_fds(spec, &report) < 0)
		goto fail;
	execve(spec->path, spec->argv, spec->env ? spec->env : plain);
fail:
	why = errno;
	io_write_all(report, &why, sizeof(why), DEADLINE_NEVER);
	_exit(EX_OSERR);
}

/* vfork: the child lives in our memory until its exec, which spares copying the page tables (a third of what
 * starting a small program costs, more in a large one). No handler of ours may run there: all signals
 * are blocked until the child has the default dispositions. */
static pid_t fork_for_exec(const struct proc_spec *spec, int report, pid_t parent)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = vfork();
	if (pid == 0)
		child(spec, report, parent);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

int proc_wait(pid_t pid)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static pid_t start(const struct proc_spec *spec, struct error *err)
{
	pid_t parent = getpid(), pid;
	int report[2], why = 0;
	ssize_t got;

	if (pipe2(report, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	pid = fork_for_exec(spec, report[1], parent);
	close(report[1]);
	if (pid < 0) {
		error_sys(err, REASON_SYSTEM, "cannot fork");
		close(report[0]);
		return -1;
	}
	got = io_read(report[0], &why, sizeof(why));
	close(report[0]);
	if (got != (ssize_t)sizeof(why))
		return pid;
	proc_wait(pid);
	errno = why;
	return error_sys(err, REASON_SYSTEM_FILE, "cannot run %s", spec->path);
}

pid_t proc_start(const struct proc_spec *spec, struct error *err)
{
	struct proc_spec s = *spec;
	char path[PATH_MAX];

	if (!s.path)
		s.path = io_program_path(s.ours, s.ours_dir, path, sizeof(path));
	return s.path ? start(&s, err) : error_set(err, REASON_SYSTEM_FILE, "the path of %s is too long", s.ours);
}

static bool is_wholly(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
		return false;
	return r == uid && e == uid && s == uid && gr == gid && ge == gid && gs == gid;
}

int proc_become(uid_t uid, gid_t gid, const char *name, struct error *err)
{
	if (geteuid() == 0) {
		int rc = name ? initgroups(name, gid) : setgroups(1, &gid);

		/* A container without CAP_SETGID has nothing to give up. */
		if (rc < 0 && !(errno == EPERM && is_wholly(uid, gid)))
			return error_sys(err, REASON_SYSTEM, "cannot set the groups of uid %u", (unsigned)uid);
	}
	if (is_wholly(uid, gid))
		return 0;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return error_sys(err, REASON_PERMISSION, "cannot become uid %u gid %u", (unsigned)uid, (unsigned)gid);
	if (!is_wholly(uid, gid) || (uid != 0 && setuid(0) == 0))
		return error_set(err, REASON_SYSTEM, "uid %u could not be kept", (unsigned)uid);
	return 0;
}

int proc_become_owner(const char *dir, uid_t *owner, struct error *err)
{
	struct passwd *pw;
	struct stat st;

	if (stat(dir, &st) < 0)
		return error_sys(err, REASON_UNAVAILABLE, "queue directory %s", dir);
	if (owner)
		*owner = st.st_uid;
	if (geteuid() == st.st_uid && (geteuid() != 0 || st.st_uid == 0))
		return 0;
	pw = getpwuid(st.st_uid);
	if (geteuid() != 0 && pw)
		return error_set(err, REASON_PERMISSION, "the queue in %s belongs to %s: run this as root", dir,
				 pw->pw_name);
	if (geteuid() != 0)
		return error_set(err, REASON_PERMISSION,
				 "the queue in %s belongs to uid %u: run this as root or as that user", dir,
				 (unsigned)st.st_uid);
	return proc_become(st.st_uid, pw ? pw->pw_gid : st.st_gid, pw ? pw->pw_name : NULL, err);
}

/* No entry, and the user database said so. */
static bool is_nobody(int why)
{
	static const int nobody[] = {0, ENOENT, ESRCH, EBADF, EPERM};	/* as getpwuid(3) has it */

	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		if (why == nobody[i])
			return true;
	return false;
}

const struct passwd *proc_user(uid_t uid, bool *failed)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwuid(uid);
	*failed = !pw && !is_nobody(errno);
	return pw;
}

const struct group *proc_group(const char *name, bool *failed)
{
	const struct group *g;

	errno = 0;
	g = getgrnam(name);
	*failed = !g && !is_nobody(errno);
	return g;
}

void proc_hide(void)
{
	struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

void proc_settle(void)
{
	umask(077);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may grow no more is an error like a full disk */
}
