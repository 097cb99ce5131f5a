/*
 * submit.h: submits a message at the door, or to outpost-drop where nobody listens there; and has outpost-drop start a
 * flusher that answers the system's door, for those who may not start one themselves.
 */
#ifndef SENDMAIL_SUBMIT_H
#define SENDMAIL_SUBMIT_H

#include "base/error.h"
#include "sendmail/compose.h"
#include "sendmail/find_queue.h"

/*
 * Returns the code of the answer (0: it is on disk), with its words in *answer ("queued as ID"). One token goes with
 * all attempts, so that a letter whose answer was lost is not taken twice.
 */
int letter_submit(const struct place *p, struct letter *l, struct error *answer);

/* The flusher leaves when nothing is left to do. 0: one is there, or will be in a moment; -1: *err says why not. */
int start_flusher(struct error *err);

#endif
