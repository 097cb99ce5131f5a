#include "base/process/step.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if ENABLE_FAULT
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void note(const char *name)
{
	const char *path = getenv("OUTPOST_STEP_LOG");
	char line[128];
	int n, fd;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s\n", name);
	if (write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

void step_reached(const char *name)
{
	static int seen;
	const char *want = getenv("OUTPOST_KILL_AT");
	size_t n = strlen(name);
	int nth = 1;

	note(name);
	if (!want || strncmp(want, name, n) != 0 || (want[n] != '\0' && want[n] != ':'))
		return;
	if (want[n] == ':')
		nth = (int)strtol(want + n + 1, NULL, 10);
	if (++seen >= nth)
		kill(getpid(), SIGKILL);
}
#endif

char *const *step_env(void)
{
	static const char *const pass[] = {
		"TZ",
#if ENABLE_FAULT
		"OUTPOST_KILL_AT", "OUTPOST_STEP_LOG", "OUTPOST_FAIL_NTH", "LD_PRELOAD",
#endif
#if BUILT_WITH_ASAN
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
	};
	enum { COUNT = sizeof(pass) / sizeof(pass[0]) };
	static char values[COUNT][512];
	static char *env[COUNT + 2];
	size_t n = 0;

	env[n++] = (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	for (size_t i = 0; i < COUNT; i++) {
		const char *v = getenv(pass[i]);

		if (v && snprintf(values[i], sizeof(values[i]), "%s=%s", pass[i], v) < (int)sizeof(values[i]))
			env[n++] = values[i];
	}
	env[n] = NULL;
	return env;
}
