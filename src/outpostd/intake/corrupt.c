/* corrupt.c: any user can have outpost-drop write submissions, as often as they like. Of users who may not submit
 * no more is kept than shows what goes on. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { FILES_MAX = 1000, BYTES_MAX = 64 << 20 };

void corrupt_recount(struct outpostd *d)
{
	d->corrupt.files = 0;
}

static void count(struct outpostd *d)
{
	struct corrupt_dir *c = &d->corrupt;
	struct dirent *e;
	char path[1200];
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" CORRUPT_DIR, d->queue_dir);
	dir = opendir(path);
	c->files = 0;
	c->bytes = 0;
	while (dir && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			c->files++;
			c->bytes += (uint64_t)st.st_size;
		}
	if (dir)
		closedir(dir);
}

/* Whether one more file of this size has room there. */
static bool has_room(struct outpostd *d, uint64_t size)
{
	struct corrupt_dir *c = &d->corrupt;

	if (!c->files)
		count(d);
	if (c->files >= FILES_MAX || c->bytes + size > BYTES_MAX)
		return false;
	c->files++;
	c->bytes += size;
	c->full = false;
	return true;
}

static bool remove_excess(struct outpostd *d, const char *path, const struct error *why)
{
	struct stat st;

	if (error_exit(why) != EX_NOPERM || lstat(path, &st) < 0 || has_room(d, (uint64_t)st.st_size))
		return false;
	if (!d->corrupt.full)
		log_line(LOG_FAIL, "pickup", 0,
			 "corrupt/ is full: what is submitted by users whom authorized_submit_users does not name is "
			 "removed until you have emptied it (%s)", why->text);
	d->corrupt.full = true;
	return unlink(path) == 0;
}

void corrupt_set_aside(struct outpostd *d, const char *name, const struct error *why)
{
	char from[1200], to[1200], words[800];

	snprintf(from, sizeof(from), "%s/" INCOMING_DIR "/%s", d->queue_dir, name);
	snprintf(to, sizeof(to), "%s/" CORRUPT_DIR "/%s", d->queue_dir, name);
	if (remove_excess(d, from, why))
		return;
	if (rename(from, to) == 0) {
		log_line(LOG_FAIL, "pickup", 0, INCOMING_DIR "/%s cannot be taken in, moved to corrupt/: %s", name,
			 why->text);
		return;
	}
	snprintf(words, sizeof(words), "%s, and it cannot be moved to corrupt/: %s", why->text, strerror(errno));
	incoming_leave(d, name, words);
}
