/*
 * spawn.c: starts a command N times, P at once, each with a fresh message on stdin, and says what it took.
 *
 *   spawn -n N -p P -s BYTES [-r ROOT] [-u UID] -- COMMAND ARG...
 *
 * Prints one JSON object: median, 95th percentile and greatest time from fork to exit in milliseconds, how many per
 * second in all, the CPU time of the children in milliseconds each, and how many failed. -r: the child enters this
 * root first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 512 };

static struct {
	long n, p, size, uid;
	const char *root;
	char **command;
} o = {100, 1, 2048, -1, NULL, NULL};

static double *took;
static long done, failed;
static struct {
	pid_t pid;
	double begin;
} running[MOST];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A message of the size wanted, with its number as subject. In memory: a file made and removed for each would be work
 * for the file system that is measured. */
static int message(long i)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	char line[80];
	long n;

	if (fd < 0) {
		perror("memfd_create");
		exit(1);
	}
	n = dprintf(fd, "From: bench@client.example.com\nTo: user@dest.example.net\nSubject: bench %ld\n\n", i);
	memset(line, 'x', sizeof(line));
	line[71] = '\n';
	for (; n < o.size; n += 72)
		if (write(fd, line, 72) != 72)
			exit(1);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void child(int fd)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(fd, 0);
	dup2(null, 1);
	if (o.root && (chroot(o.root) || chdir("/")))
		_exit(120);
	if (o.uid >= 0 && (setgid((gid_t)o.uid) || setuid((uid_t)o.uid)))
		_exit(121);
	execv(o.command[0], o.command);
	_exit(127);
}

static void start(long slot, long i)
{
	int fd = message(i);
	pid_t pid;

	running[slot].begin = now();
	pid = fork();
	if (pid == 0)
		child(fd);
	if (pid < 0)
		exit(1);
	running[slot].pid = pid;
	close(fd);
}

static long reap(void)
{
	int status;
	pid_t pid = wait(&status);
	double end = now();

	for (long s = 0; s < o.p; s++)
		if (running[s].pid == pid) {
			took[done++] = end - running[s].begin;
			failed += status != 0;
			running[s].pid = 0;
			return s;
		}
	return -1;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+n:p:s:r:u:")) != -1)
		switch (c) {
		case 'n': o.n = strtol(optarg, NULL, 10); break;
		case 'p': o.p = strtol(optarg, NULL, 10); break;
		case 's': o.size = strtol(optarg, NULL, 10); break;
		case 'u': o.uid = strtol(optarg, NULL, 10); break;
		case 'r': o.root = optarg; break;
		default: exit(64);
		}
	if (optind == argc || o.p > MOST || o.n < 1 || o.p < 1)
		exit(64);
	o.command = argv + optind;
}

static double cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv)
{
	double begin, total;
	long begun = 0;

	options(argc, argv);
	took = calloc((size_t)o.n, sizeof(*took));
	begin = now();
	for (long s = 0; s < o.p && begun < o.n; s++)
		start(s, begun++);
	while (done < o.n) {
		long s = reap();

		if (s >= 0 && begun < o.n)
			start(s, begun++);
	}
	total = now() - begin;
	qsort(took, (size_t)o.n, sizeof(*took), by_time);
	printf("{\"n\": %ld, \"p\": %ld, \"median_ms\": %.3f, \"p95_ms\": %.3f, \"most_ms\": %.3f, \"per_second\": "
	       "%.1f, "
	       "\"cpu_ms\": %.3f, \"failed\": %ld}\n",
	       o.n, o.p, took[o.n / 2], took[o.n * 95 / 100], took[o.n - 1], (double)o.n * 1e3 / total,
	       cpu() / (double)o.n, failed);
	free(took);
	return failed != 0;
}
