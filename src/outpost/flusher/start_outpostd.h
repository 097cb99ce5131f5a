/* start_outpostd.h: an outpostd for one job, where none is running. */
#ifndef OUTPOST_START_OUTPOSTD_H
#define OUTPOST_START_OUTPOSTD_H

#include "outpost/command.h"

/* Whether an outpostd listens at the admin socket. */
bool start_answers(struct context *c);

/* Starts `outpostd --once` under c's configuration (context_become came before) and waits until its admin socket
 * answers; one that is there already is enough. EX_OK, or the exit status it died with and its last words in *err. */
int start_once(struct context *c, struct error *err);

/* What outpost-drop wrote while nobody ran: `outpostd --take-in` puts it into the queue and sends nothing, so that who
 * looks sees everything, and who edits finds it. Nothing to do, or a flusher at work (which does it itself), is
 * fine. */
void start_take_in(struct context *c);

#endif
