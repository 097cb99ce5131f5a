#include "config.h"
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

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

void *array_add(void *array, size_t *n, size_t *cap, size_t size)
{
	char *list, *one;

	memcpy(&list, array, sizeof(list));
	list = array_room(list, *n, cap, size);
	if (!list)
		return NULL;
	memcpy(array, &list, sizeof(list));
	one = list + (*n)++ * size;
	memset(one, 0, size);
	return one;
}
