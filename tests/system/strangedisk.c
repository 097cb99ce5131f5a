/* strangedisk.c: a library to be preloaded for which every file system is an NFS. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int statfs(const char *path, struct statfs *f)
{
	int rc = (int)syscall(SYS_statfs, path, f);

	f->f_type = 0x6969;
	return rc;
}

/* glibc's other name for it, where file offsets are given 64 bits by it; musl has the one function. */
#ifdef __GLIBC__
int statfs64(const char *path, struct statfs64 *f)
{
	int rc = (int)syscall(SYS_statfs, path, f);

	f->f_type = 0x6969;
	return rc;
}
#endif
