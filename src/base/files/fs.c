#include "config.h"
#include "base/files/fs.h"

#include <stddef.h>
#include <sys/vfs.h>

static const struct {
	unsigned long type;
	const char *name;
} refused[] = {
	{0x6969, "NFS"},        {0xFF534D42, "CIFS"},  {0xFE534D42, "SMB"}, {0x517B, "SMB"},      {0x01021997, "9p"},
	{0x65735546, "FUSE"},   {0x5346414F, "AFS"},   {0x6B414653, "AFS"}, {0x73757245, "Coda"}, {0x00C36400, "Ceph"},
	{0x0BD00BD0, "Lustre"}, {0x7461636F, "OCFS2"}, {0x564C, "NCP"},
};

const char *fs_refused(unsigned long f_type)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].type == (f_type & 0xFFFFFFFFUL))
			return refused[i].name;
	return NULL;
}

int fs_check(const char *dir, struct error *err)
{
	struct statfs fs;
	const char *name;

	if (statfs(dir, &fs) < 0)
		return error_sys(err, REASON_UNAVAILABLE, "queue directory %s", dir);
	name = fs_refused((unsigned long)fs.f_type);
	if (!name)
		return 0;
	return error_set(err, REASON_CONFIG,
			 "queue directory %s is on %s, where a queue can lose mail: "
			 "set queue_directory to a local disk", dir, name);
}
