/*
 * confine.h: what this process and its agents may write to: the queue, the door, the log, devices, tokens that are
 * refreshed. They may read and run what the file system lets them; agents give up more by themselves. Best effort:
 * where the kernel has no Landlock nothing changes.
 */
#ifndef OUTPOSTD_CONFINE_H
#define OUTPOSTD_CONFINE_H

#include "outpostd/parts.h"

void confine(struct outpostd *d);

#endif
