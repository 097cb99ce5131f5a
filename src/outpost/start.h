/* start.h: an outpostd for one job, where none is running. */
#ifndef OUTPOST_START_H
#define OUTPOST_START_H

#include "outpost/command.h"

/* Starts `outpostd --once` under c's configuration (context_become came before) and waits until its admin socket
 * answers. EX_OK, or the exit status it died with and its last words in *err. */
int start_once(struct context *c, struct error *err);

#endif
