/*
 * array.h: arrays that grow by doubling.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/* Makes room for one element more than n in an array (allocated by malloc, or NULL with *cap 0) of elements of `size`
 * bytes. Returns the array, which may have moved, or NULL without memory: then the old one is unchanged. */
void *array_room(void *array, size_t n, size_t *cap, size_t size);
/* The same for one more element, zeroed and counted: it is returned. `array` is the address of the array's pointer. */
void *array_add(void *array, size_t *n, size_t *cap, size_t size);

#endif
