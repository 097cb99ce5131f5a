/* fd_quarantine.h: a stranger's socket, read and closed without ever closing a descriptor that the stranger sent
 * along. */
#ifndef OUTPOSTD_FD_QUARANTINE_H
#define OUTPOSTD_FD_QUARANTINE_H

#include "outpostd/parts.h"

struct fd_quarantine {
	int keeper;		/* the process that keeps sockets which must not be closed; -1: none yet */
	unsigned given;
	uid_t uid;		/* the last user who did that, */
	deadline reported;	/* and until when it is not logged again */
};

void quarantine_open(struct outpostd *d);
void quarantine_end(struct outpostd *d);
ssize_t quarantine_read(int fd, void *p, size_t n);	/* as recv; EBADMSG: a descriptor was sent along */
void quarantine_close(struct outpostd *d, int fd, uid_t uid);
int quarantine_keep(void);		/* the keeper's life */

#endif
