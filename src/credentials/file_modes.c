/*
 * The modes of main.cf and of files with passwords. Every tutorial ends with chmod 0600 by root, which the queue's
 * owner cannot read.
 */
#include "config.h"
#include "credentials/internal.h"
#include "base/files/trust.h"
#include "base/text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What to type: the system's files are root's and the owner's group's, a queue of one's own is one's own. */
static void commands(struct conf *c, const char *path, char *out, size_t size)
{
	const char *owner = conf_str(c, P_mail_owner);

	if (strcmp(conf_dir(c), SYSCONFDIR) == 0 || geteuid() == 0)
		snprintf(out, size, "chown root:%s %s && chmod 0640 %s", owner, path, path);
	else
		snprintf(out, size, "chmod 0600 %s", path);
}

int secret_file_check(struct conf *c, const char *path, const struct stat *st, struct error *err)
{
	struct stat queue;
	bool have_queue = stat(conf_str(c, P_queue_directory), &queue) == 0;
	char type[2 * PATH_MAX + 100];
	const char *who = NULL;

	if (st->st_mode & 007)
		who = "everybody";
	else if ((st->st_mode & 070) && st->st_gid != 0 && st->st_gid != getegid() &&
		 !(have_queue && st->st_gid == queue.st_gid))
		who = "a group that is not outpost's";
	else if (st->st_uid != 0 && st->st_uid != geteuid() && !(have_queue && st->st_uid == queue.st_uid))
		who = "a user who is neither root nor outpost's";
	if (!who)
		return 0;
	commands(c, path, type, sizeof(type));
	return error_set(err, REASON_CREDENTIAL_EXPOSED, "%s holds a password and is open to %s; type: %s", path, who,
			 type);
}

/* The directory on the way to path, links followed, behind which nothing can be seen. (glibc leaves the place where
 * realpath gave up; elsewhere only the last directory is looked at.) */
static bool closed_directory(const char *path, char out[PATH_MAX])
{
	char *slash;

	snprintf(out, PATH_MAX, "%s", path);
	if (realpath(path, out) || errno != EACCES)
		return false;
	slash = strrchr(out, '/');
	if (!slash || slash == out)
		return false;
	*slash = '\0';
	return access(out, X_OK) < 0 && errno == EACCES;
}

static int fail_unreadable(struct conf *c, enum reason why, const char *path, struct error *err)
{
	char type[2 * PATH_MAX + 100], directory[PATH_MAX];

	if (closed_directory(path, directory))
		return error_set(err, why, "%s cannot be read by outpost's user, who may not enter %s; type: chmod o+x "
				 "%s", path, directory, directory);
	if (strcmp(conf_dir(c), SYSCONFDIR) == 0)
		snprintf(type, sizeof(type), "chown root:%s %s && chmod 0640 %s (`outpost check` as root does it)",
			 conf_str(c, P_mail_owner), path, path);
	else
		snprintf(type, sizeof(type), "chown %u %s && chmod 0600 %s", (unsigned)geteuid(), path, path);
	return error_set(err, why, "%s cannot be read by outpost's user; type: %s", path, type);
}

int credentials_conf_readable(struct conf *c, struct error *err)
{
	if (access(conf_path(c), R_OK) == 0 || errno != EACCES)
		return 0;
	return fail_unreadable(c, REASON_PERMISSION, conf_path(c), err);
}

int secret_file_unreadable(struct conf *c, const char *path, struct error *err)
{
	return fail_unreadable(c, REASON_CREDENTIAL_UNREADABLE, path, err);
}

/* ---- fixing them */

static const char *group_name(gid_t group, char *buf, size_t size)
{
	struct group *g = getgrgid(group);

	snprintf(buf, size, "%u", (unsigned)group);
	return g ? g->gr_name : buf;
}

/* root's 0600 (nobody but root had it: giving it to the owner's group is what was meant) becomes root:group 0640. */
static int fix(const char *path, gid_t group, mode_t also, struct buf *said, struct error *err)
{
	struct error ignored;
	struct stat st;
	char number[16];
	int fd, rc = 0;

	/* Whoever reads the map says why it can't. */
	if (trust_check(path, &ignored) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
	    ((st.st_mode & 077) == 0 || (st.st_mode & 07777) == also) &&
	    !(st.st_gid == group && (st.st_mode & 07777) == 0640)) {
		if (fchown(fd, 0, group) < 0 || fchmod(fd, 0640) < 0)
			rc = error_sys(err, REASON_PERMISSION, "cannot set %s to group %u and mode 0640", path,
				       (unsigned)group);
		else
			buf_addf(said, "%s is now root:%s 0640, so that outpost can read it\n", path,
				 group_name(group, number, sizeof(number)));
	}
	close(fd);
	return rc;
}

static int fix_element(struct conf *c, struct span element, gid_t group, struct buf *said, struct error *err)
{
	struct map_list list = conf_map_list(c, P_smtp_sasl_password_maps);
	enum map_kind kind;
	struct span source;
	char *path;
	int rc;

	if (!map_split(element, &kind, &source) || kind == MAP_EXEC || kind == MAP_NOTHING)
		return 0;
	if (kind == MAP_STATIC || kind == MAP_INLINE)
		return fix(conf_path(c), group, 0644, said, err);
	path = map_path(&list, kind, source);
	if (!path)
		return error_set(err, REASON_SYSTEM, "out of memory");
	rc = fix(path, group, 0600, said, err);
	free(path);
	return rc;
}

/* What somebody else wrote into a main.cf must not have root open root's files to him. */
int credentials_fix_modes(struct conf *c, gid_t group, struct buf *said, struct error *err)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps)), one;

	if (geteuid() != 0 || conf_writer(c) != 0)
		return 0;
	if (fix(conf_path(c), group, 0600, said, err) < 0)
		return -1;
	while (list_next(&rest, &one))
		if (fix_element(c, one, group, said, err) < 0)
			return -1;
	return 0;
}
