/* start_outpostd.h: an outpostd for one job, where none is running. */
#ifndef OUTPOST_START_OUTPOSTD_H
#define OUTPOST_START_OUTPOSTD_H

#include "outpost/command.h"

/* Whether an outpostd listens at the admin socket. */
bool start_answers(struct context *c);

/* Starts `outpostd --once` under c's configuration (context_become came before) and waits until its admin socket
 * answers; one that runs already is enough. EX_OK, or its exit status with its last message in *err. */
int start_once(struct context *c, struct error *err);

/* Moves what outpost-drop wrote while no outpostd ran into the queue, by `outpostd --take-in`, which sends nothing, so
 * that listings are complete and changes find every message. A flusher at work does it itself. */
void start_take_in(struct context *c);

#endif
