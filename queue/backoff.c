#include "config.h"
#include "queue/queue.h"

int64_t queue_backoff_s(unsigned attempts, int64_t min_s, int64_t max_s, uint32_t random)
{
	int64_t wait = min_s < 1 ? 1 : min_s;

	if (max_s < wait)
		max_s = wait;
	for (unsigned i = 1; i < attempts && wait < max_s; i++)
		wait = wait > max_s / 2 ? max_s : wait * 2;
	if (wait > max_s)
		wait = max_s;
	/* Earlier rather than later: the maximum is a promise. */
	return wait - (int64_t)((uint64_t)(wait / 4) * random / UINT32_MAX);
}
