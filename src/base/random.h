/*
 * random.h: random bytes.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Fills p with random bytes of the kernel; 0, or -1 with errno. */
int random_bytes(void *p, size_t n);

#endif
