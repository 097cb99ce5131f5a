/*
 * failnth.c: a library to be preloaded that lets the n-th call of a kind fail in one program.
 *
 *   OUTPOST_FAIL_NTH=PROGRAM:KIND:N[+]:LOG
 *
 * PROGRAM is the name of the process (its first 15 bytes), KIND one of the table below; with "+" every call from the
 * N-th on fails. LOG gets a line for each call that failed. Calls go to the kernel directly, or to
 * glibc's inner names: nothing is looked up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { NONE, MALLOC, WRITE, SYNC, LINK, SEND, FORK, OPEN, TRUNCATE };

static const struct {
	const char *name;
	enum kind kind;
	int error;
} kinds[] = {
	{"malloc", MALLOC, ENOMEM}, {"write", WRITE, EIO},   {"full", WRITE, ENOSPC}, {"sync", SYNC, EIO},
	{"link", LINK, EIO},	    {"send", SEND, ENOBUFS}, {"fork", FORK, EAGAIN},  {"open", OPEN, EMFILE},
	{"truncate", TRUNCATE, EIO},
};

static enum kind wanted;
static int error_wanted;
static long nth, seen;
static bool from_there_on;
static char log_path[256];

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);
extern pid_t __fork(void);
pid_t vfork(void);

__attribute__((constructor)) static void read_wish(void)
{
	const char *wish = getenv("OUTPOST_FAIL_NTH");
	char program[32] = "", kind[32] = "", plus[2] = "", comm[32] = "";
	long n;

	prctl(PR_GET_NAME, comm);
	if (!wish || sscanf(wish, "%31[^:]:%31[^:]:%ld", program, kind, &n) != 3 || strncmp(program, comm, 15) != 0)
		return;
	sscanf(wish, "%*[^:]:%*[^:]:%*d%1[+]", plus);
	snprintf(log_path, sizeof(log_path), "%s", strrchr(wish, ':') + 1);
	from_there_on = *plus;
	nth = n;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, kind) == 0) {
			wanted = kinds[i].kind;
			error_wanted = kinds[i].error;
		}
}

static bool fails(enum kind kind)
{
	char line[64];
	long fd, n;

	if (kind != wanted || ++seen < nth || (seen > nth && !from_there_on))
		return false;
	n = snprintf(line, sizeof(line), "%ld\n", seen);
	fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, n);
		syscall(SYS_close, fd);
	}
	errno = error_wanted;
	return true;
}

void *malloc(size_t n)
{
	return fails(MALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t m)
{
	return fails(MALLOC) ? NULL : __libc_calloc(n, m);
}

void *realloc(void *p, size_t n)
{
	return fails(MALLOC) ? NULL : __libc_realloc(p, n);
}

/* Standard error and pipes to it are not what is tried here: only files. */
static bool is_file(int fd)
{
	return lseek(fd, 0, SEEK_CUR) >= 0;
}

ssize_t write(int fd, const void *p, size_t n)
{
	return (is_file(fd) || fd == 1) && fails(WRITE) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return fails(WRITE) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fails(WRITE) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

int fsync(int fd)
{
	return fails(SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int linkat(int d, const char *a, int e, const char *b, int flags)
{
	return fails(LINK) ? -1 : (int)syscall(SYS_linkat, d, a, e, b, flags);
}

int renameat(int d, const char *a, int e, const char *b)
{
	return fails(LINK) ? -1 : (int)syscall(SYS_renameat2, d, a, e, b, 0);
}

int rename(const char *a, const char *b)
{
	return renameat(AT_FDCWD, a, AT_FDCWD, b);
}

int unlink(const char *path)
{
	return fails(LINK) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int ftruncate64(int fd, off64_t n)
{
	return fails(TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int ftruncate(int fd, off_t n)
{
	return ftruncate64(fd, n);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	return fails(SEND) ? -1 : syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return fails(SEND) ? -1 : syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	return fails(SEND) ? -1 : syscall(SYS_writev, fd, v, n);
}

pid_t fork(void)
{
	return fails(FORK) ? -1 : __fork();
}

pid_t vfork(void)
{
	return fork();
}

static int open_at(int dir, const char *path, int flags, va_list ap)
{
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;

	return fails(OPEN) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(dir, path, flags, ap);
	va_end(ap);
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(AT_FDCWD, path, flags, ap);
	va_end(ap);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(AT_FDCWD, path, flags, ap);
	va_end(ap);
	return fd;
}

int openat64(int dir, const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(dir, path, flags, ap);
	va_end(ap);
	return fd;
}
