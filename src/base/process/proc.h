/*
 * proc.h: starting programs, and becoming somebody else for good.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct proc_fd {
	int from;	/* a descriptor of ours */
	int to;		/* its number in the child */
};

struct proc_spec {
	const char *path;		/* absolute; or NULL: */
	const char *ours, *ours_dir;	/* a program of ours, as io_program_path finds it */
	char *const *argv;
	char *const *env;		/* the whole environment of the child; NULL: PATH alone */
	const struct proc_fd *fds;	/* all others are closed; 0-2 not named become /dev/null */
	size_t nfds;
	bool session;			/* setsid and chdir / */
	bool die_with_parent;		/* PR_SET_PDEATHSIG SIGKILL */
};

/* fork and exec. Signal mask and dispositions of the child are the defaults. An exec that fails is
 * reported here, not by the child. Returns the pid, or -1. */
pid_t proc_start(const struct proc_spec *spec, struct error *err);

/* Waits for its end. Returns its wait status; -1 where there is no such child, as for a pid of -1. */
int proc_wait(pid_t pid);

/* Becomes uid/gid wholly and for good (setgroups to gid and, if name is not NULL, initgroups by
 * name; setresgid; setresuid) and proves that there is no way back. Needs root, or does nothing
 * if uid and gid are already the real, effective and saved ones. */
int proc_become(uid_t uid, gid_t gid, const char *name, struct error *err);

/* Becomes the owner of directory dir when we are root and the owner is somebody else; nothing when we
 * are the owner. EX_NOPERM for everybody else. *st of dir's owner is given back if owner is not NULL. */
int proc_become_owner(const char *dir, uid_t *owner, struct error *err);

/* getpwuid, which tells nobody of this number from a user database that did not answer (*failed). */
struct passwd;
const struct passwd *proc_user(uid_t uid, bool *failed);
/* getgrnam in the same way. */
struct group;
const struct group *proc_group(const char *name, bool *failed);

/* PR_SET_DUMPABLE 0, no core files. */
void proc_hide(void);

/* umask 077, SIGPIPE and SIGXFSZ ignored; SIGCHLD not, whatever we inherited: children are waited for. */
void proc_settle(void);

#endif
