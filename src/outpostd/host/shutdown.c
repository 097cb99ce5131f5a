/* shutdown.c: the order in which outpostd ends, so that no mail is left without anybody to send it. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <unistd.h>

#include "base/log.h"

enum { LINGER_MS = 1000, SERVE_MS = 1000, TURN_MS = 20 };

void shutdown_begin(struct outpostd *d, int64_t within_ms)
{
	if (!d->shutdown.begun)
		d->shutdown.by = deadline_in_ms(within_ms);
	d->shutdown.begun = true;
}

void shutdown_postpone(struct outpostd *d)
{
	d->shutdown.active = clock_mono_ms();
}

void shutdown_note_run(struct outpostd *d)
{
	d->shutdown.run_done = true;
}

void shutdown_note_mail(struct outpostd *d)
{
	d->shutdown.unsent = true;
}

static bool is_quiet(struct outpostd *d)
{
	return schedule_idle(d) && !d->settlement.n && !d->flush.on && door_is_quiet(d) && !incoming_busy(d);
}

bool shutdown_due(struct outpostd *d)
{
	struct shutdown *s = &d->shutdown;
	int64_t stay = s->run_done ? 0 : LINGER_MS;

	s->idle_until = 0;
	if (s->begun)
		return deadline_over(s->by) || (!d->claims.n && !d->settlement.n);
	if (!d->once && (!d->door.managed || d->listener.ours))
		return false;
	if (!is_quiet(d))
		return false;
	if (d->door.managed && !d->once) {
		if (!schedule_empty(d))
			return false;
		stay = conf_seconds(d->conf, P_idle_time) * 1000;
	}
	s->idle_until = s->active + stay;
	return deadline_over(s->idle_until);
}

deadline shutdown_deadline(const struct outpostd *d)
{
	const struct shutdown *s = &d->shutdown;
	deadline first = s->begun ? s->by : DEADLINE_NEVER;

	return s->idle_until ? deadline_first(first, s->idle_until) : first;
}

/* Serves those who are connected, for a moment. */
static void serve_out(struct outpostd *d)
{
	deadline until = deadline_in_ms(SERVE_MS);

	while ((agents_count(d) || door_serving(d)) && !deadline_over(until)) {
		if (loop_turn(&d->loop, deadline_poll(deadline_first(until, deadline_in_ms(TURN_MS)))) < 0)
			break;
		commit_turn(d);
	}
}

/* After the lock is freed there is one more look: files that arrived between the last look and the unlocking found
 * nobody to wake, and what clients brought meanwhile nobody has sent. */
bool shutdown_complete(struct outpostd *d)
{
	struct shutdown *s = &d->shutdown;
	bool again;

	service_manager_notify("STOPPING=1");
	s->closed = true;
	s->unsent = false;
	listener_close(d);
	door_unname(d);
	agents_stop(d, false);
	serve_out(d);
	door_close(d);
	agents_stop(d, true);
	commit_turn(d);
	door_hang_up(d);
	if (d->settlement.n)
		log_line(LOG_FAIL, "qmgr", 0,
			 "%zu verdicts could not be stored; these messages may be delivered twice", d->settlement.n);
	journal_close(d);
	outpostd_unlock(d);
	again = d->once && !s->begun && (s->unsent || incoming_waits(d));
	incoming_close(d);
	return again;
}
