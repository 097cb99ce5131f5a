/*
 * fs.h: file systems that a queue must not live on: those of another machine, or of another program. Locks and shared
 * memory across these are promises that are not kept.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/error.h"

/* NULL when a queue may live on a file system of this type (statfs(2)), else its name. */
const char *fs_refused(unsigned long f_type);

/* 0 when a queue may live in this directory, else -1: EX_CONFIG, and what to do about it. */
int fs_check(const char *dir, struct error *err);

#endif
