/* In a file of its own, so that who wants no such filter does not load libseccomp. */
#include "config.h"
#include "base/process/sandbox.h"

#include <errno.h>
#if HAVE_SECCOMP
#include <seccomp.h>
#endif

#if HAVE_SECCOMP && !BUILT_WITH_ASAN
bool sandbox_calls(const char *const *names, size_t n, bool kill)
{
	scmp_filter_ctx ctx = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	bool held = true;

	if (!ctx)
		return false;
	/* None at all is better than one that lacks a call: poll, refused, would be asked again and again. */
	for (size_t i = 0; i < n && held; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]), rc = 0;

		if (nr != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		held = rc >= 0 || rc == -EEXIST || rc == -EDOM;
	}
	held = held && seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return held;
}
#else
bool sandbox_calls(const char *const *names, size_t n, bool kill)
{
	(void)names, (void)n, (void)kill;
	return false;
}
#endif
