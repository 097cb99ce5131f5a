/*
 * maker.h: new files in a directory that only root may write to, for a command that goes on as the queue's owner. A process
 * forked before root is given up makes them, and hands over their descriptors; it can do nothing else.
 */
#ifndef OUTPOST_MAKER_H
#define OUTPOST_MAKER_H

#include <sys/types.h>

#include "base/error.h"

struct maker {
	int dir;	/* -1: no directory */
	int fd;		/* to the process; -1: there is none, we may write ourselves */
	pid_t pid;
};

/* Opens the directory and, as root, starts the process. Before context_become. */
int maker_start(struct maker *m, const char *dir, struct error *err);
/* A new file of mode 0600, ID.eml and the like: capitals, digits, dot and small letters. Its descriptor, or -1. */
int maker_file(struct maker *m, const char *name, struct error *err);
void maker_stop(struct maker *m);

#endif
