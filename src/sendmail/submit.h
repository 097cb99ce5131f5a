/*
 * submit.h: submits a message at the door, or to outpost-drop where nobody listens there.
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

#endif
