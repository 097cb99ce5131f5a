#include "config.h"
#include "base/array.h"

#include <stdlib.h>

enum { FIRST = 16 };

void *array_room(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : FIRST;

	if (n < *cap)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*cap = more;
	return array;
}
