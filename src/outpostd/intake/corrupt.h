/* corrupt.h: files of incoming/ that can never be taken in are set aside in corrupt/. */
#ifndef OUTPOSTD_CORRUPT_H
#define OUTPOSTD_CORRUPT_H

#include "outpostd/parts.h"

#define CORRUPT_DIR "corrupt"

struct corrupt_dir {
	size_t files;		/* in it, counted at the first that goes there after a look; 0: not yet */
	uint64_t bytes;
	bool full;		/* and it was logged that they are too many */
};

/* incoming/ is looked at anew: somebody may have emptied corrupt/. */
void corrupt_recount(struct outpostd *d);
void corrupt_set_aside(struct outpostd *d, const char *name, const struct error *why);

#endif
