/*
 * Mending the rights of main.cf and password files: every tutorial ends with chmod 0600 by root, which outpost's user can't read.
 */
#include "config.h"
#include "conf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *group_name(gid_t group, char *buf, size_t size)
{
	struct group *g = getgrgid(group);

	snprintf(buf, size, "%u", (unsigned)group);
	return g ? g->gr_name : buf;
}

/* root's 0600 (nobody but root had it: giving it to the owner's group is what was meant) becomes root:group 0640. */
static int mend(const char *path, gid_t group, mode_t also, struct buf *said, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char number[16];
	int rc = 0;

	if (fd < 0)
		return 0; /* whoever reads the map says why it can't */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
	    ((st.st_mode & 077) == 0 || (st.st_mode & 07777) == also) &&
	    !(st.st_gid == group && (st.st_mode & 07777) == 0640)) {
		if (fchown(fd, 0, group) < 0 || fchmod(fd, 0640) < 0)
			rc = error_sys(err, REASON_PERMISSION, "cannot set %s to group %u and mode 0640", path, (unsigned)group);
		else
			buf_addf(said, "%s is now root:%s 0640, so that outpost can read it\n", path,
				 group_name(group, number, sizeof(number)));
	}
	close(fd);
	return rc;
}

static int mend_element(struct conf *c, struct span element, gid_t group, struct buf *said, struct error *err)
{
	const char *slash = memchr(element.p, '/', element.n);
	char *path;
	int rc;

	if (memmem(element.p, element.n, "static:", 7) == element.p || memmem(element.p, element.n, "inline:", 7) == element.p)
		return mend(c->path, group, 0644, said, err);
	if (!slash || memmem(element.p, element.n, "exec:", 5))
		return 0;
	path = span_dup((struct span){slash, element.n - (size_t)(slash - element.p)});
	if (!path)
		return error_set(err, REASON_SYSTEM, "out of memory");
	rc = mend(path, group, 0600, said, err);
	free(path);
	return rc;
}

/* What somebody else wrote into a main.cf must not have root open root's files to him. */
int conf_mend_modes(struct conf *c, gid_t group, struct buf *said, struct error *err)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps)), one;

	if (geteuid() != 0 || c->writer != 0)
		return 0;
	if (mend(c->path, group, 0600, said, err) < 0)
		return -1;
	while (conf_list_next(&rest, &one))
		if (mend_element(c, one, group, said, err) < 0)
			return -1;
	return 0;
}
