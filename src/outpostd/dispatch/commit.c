/*
 * commit.c: everything of a turn that waits for the disk goes into one transaction. Before the commit
 * nothing is answered and nothing is forgotten; after it the submissions are ours and the verdicts are facts.
 * If the queue takes no commits, submitters hear 75, verdicts are kept and tried again, and nothing more
 * is given to the relay until a commit succeeds.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"
#include "base/step.h"

enum { PLACE_LOOK_MS = 1000, DISPLACED_MS = 2000 };

bool commit_counts(struct outpostd *d, struct error *err)
{
	if (queue_in_place(d->queue, d->queue_dir, d->lock, err) == 0)
		return true;
	if (!d->displaced)
		log_line(LOG_FAIL, "outpostd", 0,
			 "%s; nothing more is accepted or sent, and outpostd ends, to begin anew with what is there",
			 err->text);
	if (!d->leaving)
		d->leave_by = deadline_in_ms(DISPLACED_MS);
	d->displaced = d->leaving = true;
	return false;
}

bool commit_would_count(struct outpostd *d)
{
	struct error ignored;

	if (!deadline_over(d->placed))
		return true;
	d->placed = deadline_in_ms(PLACE_LOOK_MS);
	return commit_counts(d, &ignored);
}

static bool must_wait(struct outpostd *d)
{
	bool verdicts = settle_waits(d);

	if (verdicts && (!d->stalled ? settle_urgent(d) : deadline_over(d->stalled_until)))
		return false;
	return !d->door.ready || door_gathers(d);
}

static void stall(struct outpostd *d, const struct error *err)
{
	unsigned wait = d->stalls < 5 ? 1000u << d->stalls : 30000;

	if (!d->stalled)
		log_line(LOG_FAIL, "qmgr", 0, "the queue takes no commits, so nothing more is sent: %s", err->text);
	snprintf(d->stall, sizeof(d->stall), "%.290s", err->text);
	d->stalled = true;
	d->stalls++;
	d->stalled_until = deadline_in_ms(wait);
}

static void recovered(struct outpostd *d)
{
	if (d->stalled)
		log_line(LOG_INFORMATION, "qmgr", 0, "the queue takes commits again");
	d->stalled = d->tight = false;
	d->stalls = 0;
}

/* Whether it may go better: with what was kept back, and without whole messages that are to go back to their senders.
 * On a disk that the queue itself has filled one of these would else stop all mail, and with that what makes room. */
static bool make_room(struct outpostd *d)
{
	bool room = !d->tight;

	d->tight = true;
	return reserve_use(d) || room;
}

/* Verdicts alone, once more. */
static int write_verdicts(struct outpostd *d, struct error *err)
{
	if (queue_begin(d->queue, err) < 0)
		return -1;
	if (settle_write(d, err) < 0 || relay_store(d, err) < 0 || queue_commit(d->queue, err) < 0) {
		queue_rollback(d->queue);
		settle_failed(d);
		return -1;
	}
	recovered(d);
	relay_stored(d);
	settle_committed(d);
	return 0;
}

static int write_all(struct outpostd *d, bool verdicts, struct error *err)
{
	if (queue_begin(d->queue, err) < 0)
		return -1;
	if (verdicts && (settle_write(d, err) < 0 || relay_store(d, err) < 0)) {
		queue_rollback(d->queue);
		return -1;
	}
	door_write(d);
	STEP("commit");
	if (queue_commit(d->queue, err) < 0) {
		queue_rollback(d->queue);
		return -1;
	}
	STEP("committed");
	return 0;
}

/* Who hears nothing asks again with his token, and is answered by whoever has the queue then. */
static void committed(struct outpostd *d, bool verdicts)
{
	struct error err = {0};

	recovered(d);
	if (verdicts)
		relay_stored(d);
	settle_committed(d);
	if (d->door.ready && !commit_counts(d, &err)) {
		accept_forget(d);
		door_forget(d);
		return;
	}
	accept_committed(d);
	door_committed(d);
}

void commit_turn(struct outpostd *d)
{
	bool verdicts = settle_waits(d);
	struct error err = {0};

	if (must_wait(d))
		return;
	if (d->door.ready)
		reload_if_changed(d);
	if (d->door.ready && !reserve_ready(d)) {
		error_set(&err, REASON_STORAGE_FULL, "the disk of %s is full", d->queue_dir);
		door_failed(d, &err);
		if (!verdicts)
			return;
	}
	if (write_all(d, verdicts, &err) == 0) {
		committed(d, verdicts);
		return;
	}
	accept_forget(d);
	settle_failed(d);
	if (queue_again(d->queue))
		return; /* one submission was the reason: in the next turn it fails alone */
	err.reason = REASON_TEMPORARY;
	door_failed(d, &err);
	if (verdicts && make_room(d) && write_verdicts(d, &err) == 0)
		return;
	if (verdicts)
		stall(d, &err);
	else
		log_line(LOG_FAIL, "pickup", 0, "a submission could not be stored: %s", err.text);
}

deadline commit_deadline(struct outpostd *d)
{
	deadline first = DEADLINE_NEVER;

	if (settle_waits(d))
		first = d->stalled ? d->stalled_until : d->verdict_since + SETTLE_GATHER_MS;
	if (d->door.ready)
		first = deadline_first(first, deadline_in_ms(door_gathers(d) ? 1 : 0));
	return first;
}
