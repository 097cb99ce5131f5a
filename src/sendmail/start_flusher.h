/*
 * start_flusher.h: a flusher that answers the system's door, for those who may not start one themselves.
 */
#ifndef SENDMAIL_START_FLUSHER_H
#define SENDMAIL_START_FLUSHER_H

#include "base/error.h"

/* Has outpost-drop start a flusher that leaves when nothing is left to do. 0: one is there, or will be in a
 * moment; -1: *err says why not. */
int start_flusher(struct error *err);

#endif
