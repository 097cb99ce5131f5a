#include "config.h"
#include "smtp/session.h"
#include "base/process/sandbox.h"

#include <stddef.h>

#if ENABLE_FAULT
enum { ENABLE_FAULT_BUILD = 1 };
#else
enum { ENABLE_FAULT_BUILD = 0 };
#endif

bool agent_sandbox_files(const struct delivery_session *s)
{
	/* What the resolver reads is named besides /etc: a rule is for the file itself, and often there is only a link
	 * to it (/run/NetworkManager, /run/netconfig, /mnt/wsl). */
	const struct sandbox_path paths[] = {
		{"/etc", false, false}, {"/usr", false, true}, {"/lib", false, true}, {"/lib64", false, true},
		{"/nix/store", false, true}, {"/gnu/store", false, true},
		{"/etc/resolv.conf", false, false}, {"/etc/hosts", false, false}, {"/etc/nsswitch.conf", false, false},
		{"/etc/host.conf", false, false}, {"/etc/gai.conf", false, false}, {"/etc/services", false, false},
		{"/run/systemd/resolve", true, false}, {"/run/nscd", true, false},
		{"/var/lib/ca-certificates", false, false},
		{"/run/resolvconf", false, false}, {"/dev/urandom", false, false}, {"/dev/null", true, false},
		{"/proc/sys/crypto", false, false},
		{s->cafile[0] ? s->cafile : "/etc", false, false}, {s->capath[0] ? s->capath : "/etc", false, false},
		{s->crlfile[0] ? s->crlfile : "/etc", false, false},
		{s->certfile[0] ? s->certfile : "/etc", false, false},
		{s->keyfile[0] ? s->keyfile : "/etc", false, false},
	};

	/* A fault build writes its steps to a file. */
	return !ENABLE_FAULT_BUILD && sandbox_files(paths, sizeof(paths) / sizeof(paths[0]));
}

/* What poll, TLS, SASL and malloc need, on the C libraries and architectures there are. The last ones are for
 * another try at the next address. */
static const char *const calls[] = {
	"read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "recv", "send",
	"poll", "ppoll", "ppoll_time64", "close", "shutdown", "fcntl", "fcntl64", "lseek", "_llseek",
	"brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise",
	"getrandom", "futex", "futex_time64", "clock_gettime", "clock_gettime64", "gettimeofday", "time",
	"clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "tgkill", "getpid", "gettid",
	"getuid",
	"geteuid", "getgid", "getegid", "getppid", "exit", "exit_group", "uname", "sysinfo", "getrusage", "prctl",
	"setsockopt", "getsockopt",
	"getsockname", "getpeername", "fstat", "fstat64", "newfstatat", "statx", "seccomp",
#if ENABLE_FAULT
	"open", "openat", "kill",
#endif
	"socket", "connect", "bind",
};

enum { AGAIN = 3 };

const char *agent_sandbox_all(bool again)
{
	size_t n = sizeof(calls) / sizeof(calls[0]);
	bool files = !ENABLE_FAULT_BUILD && sandbox_files(NULL, 0);
	bool few = sandbox_calls(calls, again ? n : n - AGAIN, false);

	return files && few ? "files and system calls" : files ? "files" : few ? "system calls" : "nothing";
}
