/* postfix_names.h: postfix, postqueue, postsuper, postcat, postconf, postmap and postalias as names of outpost. */
#ifndef OUTPOST_POSTFIX_NAMES_H
#define OUTPOST_POSTFIX_NAMES_H

#include "outpost/command.h"

/* Whether the program was called by one of these names; then *status is its exit status. */
bool postfix_name(struct context *c, int argc, char **argv, int *status);

/* "usage: NAME TEXT"; returns EX_USAGE. */
int postfix_usage(const char *name, const char *text);

/* In postsuper.c and postmap.c. */
int postsuper(struct context *c, int argc, char **argv);
int postmap(struct context *c, int argc, char **argv);
int postalias(struct context *c, int argc, char **argv);

#endif
