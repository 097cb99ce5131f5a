/* held.c: what one person has in a directory of files of outpost-drop. */
#include "config.h"
#include "submission/incoming.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/process/person.h"

/* False: it is gone, or not one of a person's. */
static bool is_of(int dir, const char *name, struct persons *known, uid_t person, struct stat *st)
{
	char head[INCOMING_HEAD];
	struct incoming in;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool is = fd >= 0 && fstat(fd, st) == 0 && io_read_full(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
		  incoming_get_head(head, &in) == 0 && person_known(known, in.uid) == person;

	if (fd >= 0)
		close(fd);
	return is;
}

int incoming_held(int dir, uid_t person, struct room_held *held, struct error *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct persons known = {0};
	struct dirent *e;
	struct stat st;

	*held = (struct room_held){0};
	if (!list) {
		error_sys(err, REASON_TEMPORARY, "cannot read " INCOMING_DIR);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((e = readdir(list)) != NULL)
		if (incoming_is_name(e->d_name) && is_of(dir, e->d_name, &known, person, &st)) {
			held->bytes += (uint64_t)st.st_size;
			held->files++;
		}
	closedir(list);
	return 0;
}
