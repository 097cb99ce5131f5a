/*
 * user.c: who a uid is. The user database may be on another machine, slow, or silent for ever: a process of its own asks it, for
 * which we wait a moment and no longer, before a transaction begins, never within one, and not again for a minute.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"

enum {
	KNOWN_MS = 60 * 1000,
	FAILED_MS = 2000,
	WAIT_MS = 2000,
	WAIT_SILENT_MS = 250,		/* the same where it was silent */
	SILENT_MS = 60 * 1000,		/* not long ago */
};

struct answer {
	bool known, failed;
	char name[256];
	int ngroups;
	gid_t groups[USER_GROUPS];	/* of so many what fits */
};

static void look_up(uid_t uid, struct answer *a)
{
	const struct passwd *pw = proc_user(uid, &a->failed);

	if (!pw)
		return;
	a->known = true;
	snprintf(a->name, sizeof(a->name), "%s", pw->pw_name);
}

static void look_up_groups(uid_t uid, struct answer *a)
{
	const struct passwd *pw = proc_user(uid, &a->failed);

	a->ngroups = USER_GROUPS;
	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, a->groups, &a->ngroups) < 0)
		a->ngroups = pw ? USER_GROUPS : 0;
}

typedef void (*looks_up)(uid_t uid, struct answer *a);

/* It must hold nothing of ours, the lock least of all: it may hang for longer than we live. */
static _Noreturn void child(looks_up what, uid_t uid, int fd)
{
	struct answer a = {.known = false};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, STDOUT_FILENO) < 0)
		_exit(EX_OSERR);
	io_close_from(3);
	what(uid, &a);
	_exit(io_write_all(STDOUT_FILENO, &a, sizeof(a), DEADLINE_NEVER) < 0 ? EX_IOERR : EX_OK);
}

/* False: nothing was heard of it in time. What does not even die at once is reaped with the agents. */
static bool hear(pid_t pid, int fd, int64_t ms, struct answer *a)
{
	deadline until = deadline_in_ms(ms);
	bool heard = io_wait(fd, POLLIN, until) > 0 && io_read_full(fd, a, sizeof(*a)) == (ssize_t)sizeof(*a);

	if (!heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, heard ? 0 : WNOHANG) < 0 && errno == EINTR)
		;
	return heard;
}

static void ask(struct outpostd *d, looks_up what, uid_t uid, struct answer *a)
{
	bool was_silent = d->users.silent && !deadline_over(d->users.silent);
	int fds[2];
	pid_t pid;

	*a = (struct answer){.failed = true};
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		child(what, uid, fds[1]);
	close(fds[1]);
	if (pid > 0 && !hear(pid, fds[0], was_silent ? WAIT_SILENT_MS : WAIT_MS, a)) {
		*a = (struct answer){.failed = true};
		if (!was_silent)
			log_line(LOG_WARN, "pickup", 0, "the user database does not say who uid %u is (getent passwd %u): nobody waits for it, "
				 "mail is taken without a name", (unsigned)uid, (unsigned)uid);
		d->users.silent = deadline_in_ms(SILENT_MS);
	}
	close(fds[0]);
}

static struct user *entry_of(struct users *u, uid_t uid)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->list[i].uid == uid)
			return &u->list[i];
	if (u->n < USERS_KEPT)
		return &u->list[u->n++];
	u->next = (u->next + 1) % USERS_KEPT;
	return &u->list[u->next];
}

void user_of(struct outpostd *d, uid_t uid, struct user *out)
{
	struct user *e = entry_of(&d->users, uid);

	if (e->uid != uid || deadline_over(e->until)) {
		struct answer a;

		ask(d, look_up, uid, &a);
		*e = (struct user){.uid = uid, .until = deadline_in_ms(a.failed ? FAILED_MS : KNOWN_MS), .known = a.known, .failed = a.failed};
		if (a.known)
			snprintf(e->name, sizeof(e->name), "%s", a.name);
		else
			snprintf(e->name, sizeof(e->name), "#%u", (unsigned)uid);
	}
	*out = *e;
}

int user_groups(struct outpostd *d, uid_t uid, gid_t groups[USER_GROUPS])
{
	struct answer a;

	ask(d, look_up_groups, uid, &a);
	if (a.failed)
		return -1;
	memcpy(groups, a.groups, sizeof(a.groups));
	return a.ngroups;
}
