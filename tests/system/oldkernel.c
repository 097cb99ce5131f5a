/* oldkernel.c: a library to be preloaded under which the kernel is older than 6.16: it knows no SO_PASSRIGHTS. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	if (level == SOL_SOCKET && option == 83) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, option, value, n);
}
