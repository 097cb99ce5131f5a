#include "config.h"
#include "base/deadline.h"

#include <limits.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_mono_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_boot_ms(void)
{
	return clock_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_wall_us(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000;
}

deadline deadline_in_ms(int64_t ms)
{
	return clock_mono_ms() + ms;
}

bool deadline_over(deadline d)
{
	return d != DEADLINE_NEVER && clock_mono_ms() >= d;
}

int deadline_poll(deadline d)
{
	int64_t left;

	if (d == DEADLINE_NEVER)
		return -1;
	left = d - clock_mono_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

deadline deadline_first(deadline a, deadline b)
{
	return a < b ? a : b;
}
