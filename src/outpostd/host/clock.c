/* clock.c: CLOCK_BOOTTIME tells how much time really went by. Of a step while outpostd did not run only impossible
 * times bear witness: those of the future, and of before 2026. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"

enum { STEP_MS = 10 * 1000 };

/* How far the wall clock is from where it should be, but for slewing. */
static int64_t step_ms(const struct outpostd *d, int64_t offset)
{
	int64_t by = offset - d->clock.offset;

	return d->clock.known && (by >= STEP_MS || by <= -STEP_MS) ? by : 0;
}

static int64_t offset_ms(void)
{
	return clock_wall_us() / 1000 - clock_boot_ms();
}

int64_t clock_us(const struct outpostd *d)
{
	int64_t now = clock_wall_us();

	return now - step_ms(d, now / 1000 - clock_boot_ms()) * 1000;
}

bool clock_knows(int64_t time)
{
	return time >= QUEUE_EPOCH;
}

bool clock_stepped(const struct outpostd *d)
{
	return step_ms(d, offset_ms()) != 0;
}

void clock_correct_queue(struct outpostd *d)
{
	int64_t now = clock_us(d), corrected;
	int64_t min = conf_seconds(d->conf, P_minimal_backoff_time);
	int64_t max = conf_seconds(d->conf, P_maximal_backoff_time);
	struct error err = {0};

	corrected = queue_correct_times(d->queue, now, now + (max > min ? max : min) * 1000000, &err);
	if (corrected < 0)
		log_line(LOG_WARN, "outpostd", 0, "the times of the queue could not be looked at: %s", err.text);
	else if (corrected)
		log_line(LOG_INFORMATION, "outpostd", 0,
			 "%lld messages have times of a clock that was wrong: they count from now",
			 (long long)corrected);
}

void clock_check(struct outpostd *d)
{
	int64_t offset = offset_ms(), by = step_ms(d, offset), before;
	struct error err = {0};

	if (by == 0) {
		/* A clock that is slewed: follow it, so that small steps don't add up to one. */
		d->clock.known = true;
		d->clock.offset = offset;
		return;
	}
	if (d->claims.n || settle_waits(d))
		return; /* what is under way carries the old time, as all does until it is over */
	before = clock_boot_ms() * 1000 + d->clock.offset * 1000;
	if (queue_shift_times(d->queue, before + 1000000, by * 1000, &err) < 0) {
		if (!deadline_over(d->clock.report_again))
			return;
		d->clock.report_again = deadline_in_ms(60 * 1000);
		log_line(LOG_WARN, "outpostd", 0,
			 "the clock was stepped by %lld s, and the queue's times could not follow: %s",
			 (long long)(by / 1000), err.text);
		return;
	}
	log_line(LOG_INFORMATION, "outpostd", 0, "the clock was stepped by %lld s; the queue's times follow",
		 (long long)(by / 1000));
	d->clock.offset = offset;
	relays_shift(d, before + 1000000, by * 1000);
	clock_correct_queue(d);
	schedule_reset(d);
}
