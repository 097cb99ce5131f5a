#include "config.h"
#include "base/process/inherited.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

enum { TIMER_SLACK_NS = 50000, CPUS_MAX = 8192, STACK = 8 << 20, OVERFLOW_UID = 65534, NICE_MAX = 10 };

static const struct {
	int which;
	rlim_t soft;		/* what is set, if the hard limit allows it */
	rlim_t enough;		/* a hard limit for a flusher */
	const char *name;
} limits[] = {
	{RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY, "file size"},
	{RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY, "CPU time"},
	{RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY, "address space"},
	{RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY, "data segment"},
	{RLIMIT_STACK, STACK, STACK / 2, "stack"},
	{RLIMIT_NOFILE, RLIM_INFINITY, 256, "open files"},
	{RLIMIT_NPROC, RLIM_INFINITY, 256, "processes"},
};
enum { LIMITS = sizeof(limits) / sizeof(limits[0]) };

static void reset_limits(void)
{
	for (size_t i = 0; i < LIMITS; i++) {
		struct rlimit l, higher = {limits[i].enough, limits[i].enough};

		if (getrlimit(limits[i].which, &l) < 0)
			continue;
		if (l.rlim_max < limits[i].enough && setrlimit(limits[i].which, &higher) == 0)
			l = higher;	/* as root */
		l.rlim_cur = l.rlim_max < limits[i].soft ? l.rlim_max : limits[i].soft;
		setrlimit(limits[i].which, &l);
	}
}

static void reset_scheduling(void)
{
	enum { IOPRIO_WHO_PROCESS = 1 };
	const struct sched_param none = {.sched_priority = 0};
	unsigned char every_cpu[CPUS_MAX / 8];

	memset(every_cpu, 0xff, sizeof(every_cpu));
	prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS);	/* 0 would be the caller's own again */
	setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none);		/* musl has no function for it */
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
	syscall(SYS_sched_setaffinity, 0, sizeof(every_cpu), every_cpu);
#ifdef SYS_set_mempolicy
	syscall(SYS_set_mempolicy, 0, NULL, 0);
#endif
}

/* The file is root's while the process is not dumpable, which it is not after a set-id exec. Nobody but the owner of
 * all our ids may look at us in that moment. */
static void reset_oom_score(void)
{
	int was = prctl(PR_GET_DUMPABLE), fd;
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) < 0 || r != e || s != e)
		return;
	if (was != 1)
		prctl(PR_SET_DUMPABLE, 1);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		io_write_all(fd, "0", 1, DEADLINE_NEVER);
		close(fd);
	}
	if (was != 1)
		prctl(PR_SET_DUMPABLE, 0);
}

void inherited_reset(void)
{
	reset_scheduling();
	reset_limits();
	reset_oom_score();
	personality(PER_LINUX);
#ifdef PR_SET_TSC
	prctl(PR_SET_TSC, PR_TSC_ENABLE);	/* else reading the clock may be a fault */
#endif
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	prctl(PR_SET_PDEATHSIG, 0);
}

const char *inherited_limit(void)
{
	for (size_t i = 0; i < LIMITS; i++) {
		struct rlimit l;

		if (getrlimit(limits[i].which, &l) == 0 && l.rlim_max < limits[i].enough)
			return limits[i].name;
	}
	return NULL;
}

bool inherited_is_slow(void)
{
	return getpriority(PRIO_PROCESS, 0) > NICE_MAX || syscall(SYS_sched_getscheduler, 0) == SCHED_IDLE;
}

/* What a user owns who is not in this user namespace is shown as OVERFLOW_UID's: that is the machine's root. */
static bool is_foreign(const char *path, uid_t *owner)
{
	struct stat st;

	if (stat(path, &st) < 0 || st.st_uid == 0 || st.st_uid == OVERFLOW_UID || st.st_uid == geteuid())
		return false;
	*owner = st.st_uid;
	return true;
}

/* The group and all above it. */
static bool is_any_foreign(const char *mount, const char *group, uid_t *owner)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s%s", mount, group);

	if (n >= (int)sizeof(path))
		return false;
	for (char *slash = path + n; slash > path + strlen(mount); slash = strrchr(path, '/')) {
		*slash = '\0';
		if (is_foreign(path, owner))
			return true;
	}
	return false;
}

/* "5:freezer:/group", or "0::/group" of version 2. */
static bool is_line_foreign(char *line, uid_t *owner)
{
	char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL, mount[256];

	if (!group)
		return false;
	*group++ = '\0';
	controllers++;
	if (!*controllers)
		return is_any_foreign("/sys/fs/cgroup", group, owner) ||
		       is_any_foreign("/sys/fs/cgroup/unified", group, owner);
	if (strncmp(controllers, "name=", 5) == 0)
		return false;	/* this hierarchy has no controller */
	snprintf(mount, sizeof(mount), "/sys/fs/cgroup/%s", controllers);
	return is_any_foreign(mount, group, owner);
}

bool inherited_cgroup(uid_t *owner)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool foreign = false;

	while (f && !foreign && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		foreign = is_line_foreign(line, owner);
	}
	if (f)
		fclose(f);
	return foreign;
}
