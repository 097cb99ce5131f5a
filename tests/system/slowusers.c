/* slowusers.c: a library to be preloaded that asks before it says who a uid is: it writes the uid to the FIFO that
 * OUTPOST_ASKED names and reads a byte from OUTPOST_MAY. So a test sees each question, and what is held up while a user
 * database takes its time. Or, while there is a file of the name OUTPOST_DOWN, the user database does not answer; where
 * that is empty, not even once, else only to the first question, which empties it. While there is a file of the name
 * OUTPOST_NO_GROUPS nobody hears of a group. And it tries to make the files that OUTPOST_MAKE names, with a colon
 * between them: what whoever asks may write to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void ask(unsigned uid)
{
	const char *asked = getenv("OUTPOST_ASKED"), *may = getenv("OUTPOST_MAY");
	int out = asked ? open(asked, O_WRONLY | O_CLOEXEC) : -1, in = may ? open(may, O_RDONLY | O_CLOEXEC) : -1;
	char byte;

	if (out < 0 || in < 0 || dprintf(out, "%u\n", uid) < 0 || read(in, &byte, 1) != 1)
		abort();
	close(out);
	close(in);
}

static void make(char *paths)
{
	char *rest, *path = strtok_r(paths, ":", &rest);

	for (; path; path = strtok_r(NULL, ":", &rest)) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd >= 0)
			close(fd);
	}
}

struct passwd *getpwuid(uid_t uid)
{
	struct passwd *(*real)(uid_t) = (struct passwd *(*)(uid_t))dlsym(RTLD_NEXT, "getpwuid");

	if (getenv("OUTPOST_MAKE")) {
		make(getenv("OUTPOST_MAKE"));
	} else if (getenv("OUTPOST_DOWN")) {
		struct stat st;
		bool first = stat(getenv("OUTPOST_DOWN"), &st) == 0 && st.st_size > 0;

		if (truncate(getenv("OUTPOST_DOWN"), 0) == 0 && !first) {
			errno = ECONNREFUSED;
			return NULL;
		}
	} else if (!getenv("OUTPOST_NO_GROUPS")) {
		ask(uid);
	}
	return real ? real(uid) : NULL;
}

struct group *getgrnam(const char *name)
{
	struct group *(*real)(const char *) = (struct group *(*)(const char *))dlsym(RTLD_NEXT, "getgrnam");

	while (getenv("OUTPOST_NO_GROUPS") && access(getenv("OUTPOST_NO_GROUPS"), F_OK) == 0)
		usleep(50000);
	return real ? real(name) : NULL;
}
