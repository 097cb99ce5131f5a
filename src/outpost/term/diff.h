/* diff.h: two small texts, shown as a unified diff. */
#ifndef OUTPOST_DIFF_H
#define OUTPOST_DIFF_H

#include <stdbool.h>

#include "base/buf.h"

/* Prints what changes, with '-' and '+'; secret masks what stands behind the last colon of a line's first value. True
 * when anything differs. */
bool diff_print(const char *path, const struct buf *old, const struct buf *new_text, bool secret);

#endif
