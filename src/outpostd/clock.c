/* clock.c: a wall clock that is stepped. Times in the queue are wall times; CLOCK_BOOTTIME is the witness of how much
 * time really went by. A machine that boots in 1970 and learns the time later has not waited for fifty years. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"

enum { STEP_MS = 10 * 1000 };

void clock_look(struct outpostd *d)
{
	int64_t offset = clock_wall_us() / 1000 - clock_boot_ms();
	int64_t by = offset - d->clock_offset;
	struct error err = {0};

	if (!d->clock_known) {
		d->clock_known = true;
		d->clock_offset = offset;
		return;
	}
	if (by < STEP_MS && by > -STEP_MS) {
		/* A clock that is slewed: follow it, so that small steps don't add up to one. */
		d->clock_offset = offset;
		return;
	}
	if (d->schedule.nclaims || settle_waits(d))
		return; /* verdicts that are under way carry the old time; a moment later then */
	if (queue_shift_times(d->queue, by * 1000, &err) < 0) {
		log_line(LOG_WARN, "outpostd", 0, "the clock was stepped by %lld s, and the queue's times could not follow: %s",
			 (long long)(by / 1000), err.text);
		return;
	}
	log_line(LOG_INFORMATION, "outpostd", 0, "the clock was stepped by %lld s; the queue's times follow", (long long)(by / 1000));
	d->clock_offset = offset;
	relay_shift(d, by * 1000);
	schedule_reset(d);
}
