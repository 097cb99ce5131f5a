/* agent_frames.h: what agents send. All of it is frames; an agent that breaks the grammar is killed and counts as
 * dead. */
#ifndef OUTPOSTD_AGENT_FRAMES_H
#define OUTPOSTD_AGENT_FRAMES_H

#include "outpostd/parts.h"

/* Handles all whole frames in a->in. False: what is there is no frame, or there is no memory to read it. */
bool agent_take_frames(struct agent *a);

#endif
