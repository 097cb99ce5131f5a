/*
 * failnth.c: a library to be preloaded that lets the n-th call of a kind fail in one program.
 *
 *   OUTPOST_FAIL_NTH=PROGRAM:KIND:N[+]:LOG
 *
 * PROGRAM is the name of the process (its first 15 bytes), KIND one of the table below. One call fails: when a second
 * process of that name comes to its N-th, it is not hindered. With "+" every call from the N-th on fails, in each; with
 * N = 0 every call while the number in LOG is not 0. LOG holds, as a number of eight bytes, how many failed, and then a
 * letter for each sync (S) and link (L) there was: it is mapped, so a process in a sandbox counts as well. Calls go to
 * the kernel directly, or to glibc's inner names: nothing is looked up but SQLite's and fopen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { NONE, MALLOC, WRITE, SYNC, LINK, SEND, RECV, FORK, OPEN, TRUNCATE, STEP };
enum { IOERR = 10 }; /* SQLITE_IOERR */

static const struct {
	const char *name;
	enum kind kind;
	int error;
} kinds[] = {
	{"malloc", MALLOC, ENOMEM}, {"write", WRITE, EIO},   {"full", WRITE, ENOSPC}, {"sync", SYNC, EIO},
	{"link", LINK, EIO},	    {"send", SEND, ENOBUFS}, {"fork", FORK, EAGAIN},  {"open", OPEN, EMFILE},
	{"truncate", TRUNCATE, EIO}, {"recv", RECV, EIO},     {"step", STEP, IOERR},
};

static enum kind wanted;
static int error_wanted;
static long nth, seen;
static bool from_there_on;
static volatile unsigned long *failed;	/* shared by all processes of this name */
static char *order;			/* the letters */
static size_t letters;
enum { LOG_SIZE = 65536 };

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);
extern pid_t __fork(void);
pid_t vfork(void);

static void open_log(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	void *p;

	if (fd < 0 || syscall(SYS_ftruncate, fd, LOG_SIZE) < 0)
		abort();
	p = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	failed = p;
	order = (char *)p + sizeof(*failed);
	syscall(SYS_close, fd);
}

__attribute__((constructor)) static void read_wish(void)
{
	const char *wish = getenv("OUTPOST_FAIL_NTH");
	char program[32] = "", kind[32] = "", plus[2] = "", comm[32] = "";
	long n;

	prctl(PR_GET_NAME, comm);
	if (!wish || sscanf(wish, "%31[^:]:%31[^:]:%ld", program, kind, &n) != 3 || strncmp(program, comm, 15) != 0)
		return;
	sscanf(wish, "%*[^:]:%*[^:]:%*d%1[+]", plus);
	open_log(strrchr(wish, ':') + 1);
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
	unsigned long was;

	if (order && (kind == SYNC || kind == LINK) && letters < LOG_SIZE - sizeof(*failed))
		order[letters++] = kind == SYNC ? 'S' : 'L';
	if (kind != wanted)
		return false;
	was = *failed;
	if (nth ? ++seen < nth || (was && !from_there_on) : !was)
		return false;
	/* a test that sets it to 0 meanwhile has the last word */
	__sync_bool_compare_and_swap(failed, was, was + 1);
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

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	return fails(RECV) ? -1 : syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return fails(RECV) ? -1 : syscall(SYS_recvmsg, fd, m, flags);
}

static bool step_failed, exec_failed;
static int execs; /* one within another: SQLite reads its schema so */

/* As when the statement ran into an error of the disk: nothing was done. */
int sqlite3_step(void *statement)
{
	static int (*real)(void *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_step");
	step_failed = (execs && exec_failed) || fails(STEP);
	exec_failed |= step_failed;
	return step_failed ? IOERR : real(statement);
}

/* It believes not what sqlite3_step says but what became of the statement: so none goes on behind one that failed. */
int sqlite3_exec(void *db, const char *sql, void *each, void *arg, char **text)
{
	static int (*real)(void *, const char *, void *, void *, char **);
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_exec");
	if (execs++ == 0)
		exec_failed = false;
	rc = real(db, sql, each, arg, text);
	execs--;
	step_failed = exec_failed;
	return exec_failed ? IOERR : rc;
}

int sqlite3_extended_errcode(void *db)
{
	static int (*real)(void *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_extended_errcode");
	return step_failed ? IOERR : real(db);
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

FILE *fopen64(const char *path, const char *mode)
{
	static FILE *(*real)(const char *, const char *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fopen64");
	return fails(OPEN) ? NULL : real(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	return fopen64(path, mode);
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

/* What open becomes under _FORTIFY_SOURCE when its flags are not constant. */
int __open_2(const char *path, int flags)
{
	return open(path, flags);
}

int __open64_2(const char *path, int flags)
{
	return open(path, flags);
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
