#include "config.h"
#include "drop/drop.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "base/sock.h"
#include "base/step.h"

/*
 * A flusher that lives watches incoming/ itself and looks once more after it has unlocked, so nothing has to be
 * said to it. (Its lock is not tried: that could make one that is just starting believe another is at work.)
 * Where none lives and no service manager owns the door, one is started that leaves when nothing is
 * left to do. Whatever fails here, the message is safe: it goes with the next queue run.
 */

static bool managed(const struct drop *d)
{
	return !d->own && access(RUNDIR "/managed", F_OK) == 0;
}

/* The admin socket, as it is the queue's and is there under every supervisor. */
static bool answers(const struct drop *d)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/admin", d->queue_dir) >= (int)sizeof(path))
		return false;
	fd = sock_connect(path, deadline_in_ms(100));
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == ETIMEDOUT;
}

/* A flusher under limits settles a few messages and then fails after sending: better none. */
static const char *lowered_limit(void)
{
	static const struct {
		int which;
		rlim_t enough;
		const char *name;
	} limits[] = {
		{RLIMIT_FSIZE, RLIM_INFINITY, "file size"},
		{RLIMIT_CPU, RLIM_INFINITY, "CPU time"},
		{RLIMIT_AS, RLIM_INFINITY, "address space"},
		{RLIMIT_DATA, RLIM_INFINITY, "data segment"},
		{RLIMIT_NOFILE, 256, "open files"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit l;

		if (getrlimit(limits[i].which, &l) == 0 && l.rlim_max < limits[i].enough)
			return limits[i].name;
	}
	return NULL;
}

static int start(const struct drop *d, struct error *err)
{
	char path[4096], once[] = "--once", conf_option[] = "-C", conf[4096], name[] = "outpostd";
	char *own[] = {name, conf_option, conf, once, NULL}, *system[] = {name, once, NULL};
	struct proc_spec spec = {.path = path, .argv = d->conf_dir ? own : system, .env = step_env(), .session = true};

	if (!io_program_path("outpostd", SBINDIR, path, sizeof(path)))
		return error_set(err, EX_OSFILE, NULL, "the path of outpostd is too long");
	if (snprintf(conf, sizeof(conf), "%s", d->conf_dir ? d->conf_dir : "") >= (int)sizeof(conf))
		return error_set(err, EX_OSFILE, NULL, "the path of the configuration is too long");
	return proc_start(&spec, err) < 0 ? -1 : 0;
}

void flusher_wake(const struct drop *d, char *said, size_t size)
{
	const char *limit = lowered_limit();
	struct error err;

	snprintf(said, size, "queued as %s", d->name);
	if (d->queue_only || managed(d) || (d->own && !d->conf_dir) || answers(d))
		return;
	if (limit)
		snprintf(said, size, "queued as %s; no flusher was started under the lowered limit of %s: it goes with the next queue run",
			 d->name, limit);
	else if (start(d, &err) < 0)
		snprintf(said, size, "queued as %s; no flusher could be started (%s): it goes with the next queue run", d->name,
			 err.text);
}
