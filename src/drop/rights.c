#include "config.h"
#include "drop/drop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/files/trust.h"
#include "base/process/inherited.h"
#include "base/process/proc.h"
#include "submission/incoming.h"

static bool set_id_took_hold(void)
{
	return geteuid() != getuid() || getegid() != getgid();
}

/* Says why a set-id program may have been started without its rights, or that the directory changed hands (a restored
 * backup). */
static int not_ours(const char *dir, uid_t owner, bool set_id, struct error *err)
{
	if (!set_id)
		return error_set(err, REASON_TEMPORARY,
				 "outpost-drop runs without its set-id rights (NoNewPrivileges, nosuid, "
				 "or installed without them), and no flusher listens");
	return error_set(err, REASON_TEMPORARY,
			 "outpost-drop runs as uid %u, but %s belongs to uid %u; as root type: chown -R %u:%u %s",
			 (unsigned)geteuid(), dir, (unsigned)owner, (unsigned)geteuid(), (unsigned)getegid(), dir);
}

/* incoming/ within the queue directory; that one too in a queue of one's own. */
static int make_dirs(const char *dir, bool parent, struct error *err)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/" INCOMING_DIR, dir) >= (int)sizeof(path))
		return error_set(err, REASON_CONFIG, "the name of the queue directory is too long");
	if (io_make_dir(path) == 0)
		return 0;
	if (errno == ENOENT && parent && io_make_dir(dir) == 0)
		return make_dirs(dir, false, err);
	return error_sys(err, errno == EACCES ? REASON_PERMISSION : REASON_TEMPORARY, "cannot make %s", path);
}

int rights_take(const char *queue_dir, struct error *err)
{
	bool set_id = set_id_took_hold();	/* asked later, the ids are all the same */
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct stat st;

	/* Root's groups would stay with us, and with the flusher; root once more, we can give them up. */
	if (uid != 0 && getuid() == 0 && seteuid(0) == 0) {
		inherited_reset();
		if (proc_become(uid, gid, NULL, err) < 0)
			return -1;
	} else if (uid == 0) {
		/* Not set-id, started by root: still never root's file in the queue. */
		if (trust_become_owner(queue_dir, NULL, err) < 0)
			return -1;
		uid = geteuid();
	} else if (proc_become(uid, gid, NULL, err) < 0) {
		return -1;
	}
	inherited_reset(); /* once more, for what takes ids that are wholly our own */
	proc_hide();
	if (stat(queue_dir, &st) < 0)
		return error_sys(err, REASON_TEMPORARY, "queue directory %s", queue_dir);
	if (st.st_uid != uid)
		return not_ours(queue_dir, st.st_uid, set_id, err);
	if (make_dirs(queue_dir, false, err) == 0)
		return 0;
	/* In a user namespace without the owner's uid the directory seems to be ours. */
	return !set_id && err->reason == REASON_PERMISSION ? not_ours(queue_dir, st.st_uid, set_id, err) : -1;
}

int rights_give_up(const char *queue_dir, struct error *err)
{
	struct stat st;

	/* As root no groups are touched: they are the caller's own. */
	if (setresgid(getgid(), getgid(), getgid()) < 0 || setresuid(getuid(), getuid(), getuid()) < 0 ||
	    geteuid() != getuid() || getegid() != getgid())
		return error_sys(err, REASON_SYSTEM, "cannot give up the set-id rights");
	if (geteuid() == 0 && (stat(queue_dir, &st) == 0 ? trust_become_owner(queue_dir, NULL, err) :
			       trust_become(queue_dir, err)) < 0)
		return -1;
	inherited_reset();
	if (make_dirs(queue_dir, true, err) < 0)
		return -1;
	if (stat(queue_dir, &st) < 0)
		return error_sys(err, REASON_TEMPORARY, "queue directory %s", queue_dir);
	if (st.st_uid != geteuid())
		return error_set(err, REASON_PERMISSION, "the queue in %s belongs to uid %u", queue_dir,
				 (unsigned)st.st_uid);
	return 0;
}
