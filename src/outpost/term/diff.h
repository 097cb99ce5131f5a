/* diff.h: what replacing one small text by another changes. */
#ifndef OUTPOST_DIFF_H
#define OUTPOST_DIFF_H

#include <stdbool.h>

#include "base/buf.h"

/* Prints the lines that go, marked '-', and then the new text, with '+' before the lines that are new; secret masks
 * passwords. False, and nothing printed: both are the same. */
bool diff_print(const char *path, const struct buf *old, const struct buf *new_text, bool secret);

#endif
