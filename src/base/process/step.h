/*
 * step.h: named steps of a message's life, for tests. In a build with --enable-fault,
 * OUTPOST_KILL_AT=name[:n] kills the process with SIGKILL when it comes to that step the n-th time,
 * and OUTPOST_STEP_LOG=file gets a line for each step passed. In every other build STEP is nothing.
 * proc_start gives children no environment; a program that starts others in a fault build passes
 * these two on by step_env().
 */
#ifndef BASE_STEP_H
#define BASE_STEP_H

#include "config.h"

#if ENABLE_FAULT
void step_reached(const char *name);
#define STEP(name) step_reached(name)
#else
#define STEP(name) ((void)0)
#endif

/* An environment for a child: PATH, TZ, and in a fault build the test variables. Static storage. */
char *const *step_env(void);

#endif
