/* postfix.h: postqueue, postsuper, postcat, postconf and postmap as names of outpost. */
#ifndef OUTPOST_POSTFIX_H
#define OUTPOST_POSTFIX_H

#include "outpost/command.h"

/* Whether the program was called by one of these names; then *status is its exit status. */
bool postfix_name(struct context *c, int argc, char **argv, int *status);

/* In postsuper.c. */
int postsuper(struct context *c, int argc, char **argv);

#endif
