/* user_lookup.c: the process that asks, and what is kept of its answers. */
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
#include "base/process/proc.h"

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

struct lookup {
	uid_t uid;
	bool with_groups;
	const char *group;	/* NULL: it is about the uid */
};

static void look_up_user(const struct lookup *l, struct answer *a)
{
	const struct passwd *pw = proc_user(l->uid, &a->failed);

	if (!pw)
		return;
	a->known = true;
	snprintf(a->name, sizeof(a->name), "%s", pw->pw_name);
	a->ngroups = USER_GROUPS;
	if (l->with_groups && getgrouplist(pw->pw_name, pw->pw_gid, a->groups, &a->ngroups) < 0)
		a->ngroups = USER_GROUPS;
}

static void look_up_group(const struct lookup *l, struct answer *a)
{
	const struct group *g = proc_group(l->group, &a->failed);

	a->known = g != NULL;
	a->groups[0] = g ? g->gr_gid : 0;
}

/* It must hold nothing of ours, the lock least of all: it may hang for longer than we live. */
static _Noreturn void child(const struct lookup *l, int fd)
{
	struct answer a = {.known = false};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, STDOUT_FILENO) < 0)
		_exit(EX_OSERR);
	io_close_from(3);
	if (l->group)
		look_up_group(l, &a);
	else
		look_up_user(l, &a);
	_exit(io_write_all(STDOUT_FILENO, &a, sizeof(a), DEADLINE_NEVER) < 0 ? EX_IOERR : EX_OK);
}

/* False: it did not answer in time. A child that does not even die at once is reaped with the agents. */
static bool read_answer(pid_t pid, int fd, int64_t ms, struct answer *a)
{
	deadline until = deadline_in_ms(ms);
	bool heard = io_wait(fd, POLLIN, until) > 0 && io_read_full(fd, a, sizeof(*a)) == (ssize_t)sizeof(*a);

	if (!heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, heard ? 0 : WNOHANG) < 0 && errno == EINTR)
		;
	return heard;
}

static void warn_silent(const struct lookup *l)
{
	if (l->group)
		log_line(LOG_WARN, "pickup", 0,
			 "the user database does not say which group %s is (getent group %s): nobody waits for it",
			 l->group, l->group);
	else
		log_line(LOG_WARN, "pickup", 0,
			 "the user database does not say who uid %u is (getent passwd %u): nobody waits for it, "
			 "mail is taken without a name", (unsigned)l->uid, (unsigned)l->uid);
}

static void ask(struct outpostd *d, const struct lookup *l, struct answer *a)
{
	bool was_silent = d->users.silent && !deadline_over(d->users.silent);
	int fds[2];
	pid_t pid;

	*a = (struct answer){.failed = true};
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		child(l, fds[1]);
	close(fds[1]);
	if (pid > 0 && !read_answer(pid, fds[0], was_silent ? WAIT_SILENT_MS : WAIT_MS, a)) {
		*a = (struct answer){.failed = true};
		if (!was_silent)
			warn_silent(l);
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

		ask(d, &(struct lookup){.uid = uid}, &a);
		*e = (struct user){.uid = uid, .known = a.known, .failed = a.failed,
				   .until = deadline_in_ms(a.failed ? FAILED_MS : KNOWN_MS)};
		if (a.known)
			snprintf(e->name, sizeof(e->name), "%s", a.name);
		else
			snprintf(e->name, sizeof(e->name), "#%u", (unsigned)uid);
	}
	*out = *e;
}

/* how many; -1: it cannot be known now */
static int user_groups(struct outpostd *d, uid_t uid, gid_t groups[USER_GROUPS])
{
	struct answer a;

	ask(d, &(struct lookup){.uid = uid, .with_groups = true}, &a);
	if (a.failed)
		return -1;
	memcpy(groups, a.groups, sizeof(a.groups));
	return a.ngroups;
}

static struct named_group *group_entry(struct users *u, const char *name)
{
	for (size_t i = 0; i < GROUPS_KEPT; i++)
		if (strcmp(u->groups[i].name, name) == 0)
			return &u->groups[i];
	u->next_group = (u->next_group + 1) % GROUPS_KEPT;
	return &u->groups[u->next_group];
}

static int gid_of(void *arg, const char *name, gid_t *gid)
{
	struct outpostd *d = arg;
	struct named_group *g = group_entry(&d->users, name);

	if (strcmp(g->name, name) != 0 || deadline_over(g->until)) {
		struct answer a;

		ask(d, &(struct lookup){.group = name}, &a);
		*g = (struct named_group){.gid = a.groups[0], .known = a.known, .failed = a.failed,
					  .until = deadline_in_ms(a.failed ? FAILED_MS : KNOWN_MS)};
		snprintf(g->name, sizeof(g->name), "%s", name);
	}
	*gid = g->gid;
	return g->known ? 1 : g->failed ? -1 : 0;
}

int user_named(struct outpostd *d, enum conf_param p, const struct user *who, const gid_t *groups, size_t ngroups)
{
	struct conf_user u = {
		.name = who->known ? who->name : NULL, .groups = groups, .ngroups = ngroups, .gid_of = gid_of, .arg = d,
	};
	int rc = conf_names_user(d->conf, p, &u);

	return rc == 0 && who->failed ? -1 : rc;
}

/* Where no group is named they are not looked up, which may go far away. */
int user_allowed(struct outpostd *d, enum conf_param p, const struct user *who)
{
	gid_t groups[USER_GROUPS];
	int n = 0, may;

	if (who->known && strchr(conf_str(d->conf, p), '%'))
		n = user_groups(d, who->uid, groups);
	may = user_named(d, p, who, groups, n > 0 ? (size_t)n : 0);
	return n < 0 && may == 0 ? -1 : may;
}
