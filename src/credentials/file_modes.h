/* file_modes.h: who may read a file with passwords, and what to type where that is wrong. Within this room. */
#ifndef CREDENTIALS_FILE_MODES_H
#define CREDENTIALS_FILE_MODES_H

#include <sys/stat.h>

#include "conf/conf.h"

/* Fails unless the file is kept from all but root and the queue's owner. */
int secret_file_check(struct conf *c, const char *path, const struct stat *st, struct error *err);
/* Says why the queue's owner cannot read it. Returns -1. */
int secret_file_unreadable(struct conf *c, const char *path, struct error *err);

#endif
