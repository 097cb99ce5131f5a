#include "config.h"
#include "base/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#if HAVE_LANDLOCK
#include <linux/landlock.h>
#endif

#if HAVE_LANDLOCK && defined(SYS_landlock_create_ruleset) && !BUILT_WITH_ASAN
enum {
	FS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	FS_WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK,
	FS_EXEC = LANDLOCK_ACCESS_FS_EXECUTE,
	FS_FILE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE,
	FS_ALL = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1,	/* every right of ABI 1 */
	/* LANDLOCK_ACCESS_FS_REFER, ABI 2: from one directory to another */
	FS_MOVE = FS_ALL + 1,
	FS_TRUNCATE = FS_MOVE * 2,			/* LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3 */
};

/* The rights to write that not every kernel knows. Before ABI 2 nothing can be moved between directories once a domain
 * is entered; before ABI 3 every file can be truncated by its name. */
static uint64_t newer_rights(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);

	return (abi >= 2 ? FS_MOVE : 0) | (abi >= 3 ? FS_TRUNCATE : 0);
}

static void allow(int ruleset, const struct sandbox_path *p, uint64_t newer)
{
	struct landlock_path_beneath_attr rule = {0};
	struct stat st;
	int fd = open(p->path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return;
	rule.parent_fd = fd;
	rule.allowed_access = FS_READ | (p->write ? FS_WRITE | newer : 0) | (p->exec ? FS_EXEC : 0);
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE | FS_TRUNCATE;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
}

bool sandbox_files(const struct sandbox_path *paths, size_t n)
{
	uint64_t newer = newer_rights();
	struct landlock_ruleset_attr attr = {.handled_access_fs = FS_ALL | newer};
	bool held;
	int ruleset;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		allow(ruleset, &paths[i], newer);
	held = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return held;
}
#else
bool sandbox_files(const struct sandbox_path *paths, size_t n)
{
	(void)paths, (void)n;
	return false;
}
#endif
