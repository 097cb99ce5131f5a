/*
 * failing_malloc.h: a malloc whose n-th call fails, for the test program that includes it (once, in one file). Of
 * glibc's malloc alone: elsewhere, and where a sanitizer has its own, CAN_FAIL is 0 and the test is skipped.
 */
#ifndef UNIT_FAILING_MALLOC_H
#define UNIT_FAILING_MALLOC_H

#include <stdlib.h>	/* __GLIBC__ as well */

static long fails_at;	/* the n-th malloc from now on; 0: none does, or it did */

#if defined(__GLIBC__) && !BUILT_WITH_ASAN
enum { CAN_FAIL = 1 };
extern void *__libc_malloc(size_t n);
void *malloc(size_t n)
{
	return fails_at && --fails_at == 0 ? NULL : __libc_malloc(n);
}
#else
enum { CAN_FAIL = 0 };
#endif

#endif
