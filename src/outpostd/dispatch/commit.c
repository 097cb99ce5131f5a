/* commit.c: the one transaction of a turn, and what happens when it fails. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"
#include "base/process/step.h"

enum { PLACE_LOOK_MS = 1000, DISPLACED_MS = 2000 };

const char *commit_stalled(const struct outpostd *d)
{
	return d->commit.reason[0] ? d->commit.reason : NULL;
}

bool commit_counts(struct outpostd *d, struct error *err)
{
	if (queue_in_place(d->queue, d->queue_dir, d->lock, err) == 0)
		return true;
	if (!d->commit.displaced)
		log_line(LOG_FAIL, "outpostd", 0,
			 "%s; nothing more is accepted or sent, and outpostd ends, to begin anew with what is there",
			 err->text);
	d->commit.displaced = true;
	shutdown_begin(d, DISPLACED_MS);
	return false;
}

bool commit_would_count(struct outpostd *d)
{
	struct error ignored;

	if (!deadline_over(d->commit.in_place))
		return true;
	d->commit.in_place = deadline_in_ms(PLACE_LOOK_MS);
	return commit_counts(d, &ignored);
}

/* When verdicts are to be written. */
static deadline verdicts_due(struct outpostd *d)
{
	return commit_stalled(d) && settle_waits(d) ? d->commit.again : settle_deadline(d);
}

static bool must_wait(struct outpostd *d)
{
	return !deadline_over(verdicts_due(d)) && (!submissions_ready(d) || submissions_gather(d));
}

static void stall(struct outpostd *d, const struct error *err)
{
	struct commit *c = &d->commit;

	if (!commit_stalled(d))
		log_line(LOG_FAIL, "qmgr", 0, "the queue takes no commits, so nothing more is sent: %s", err->text);
	snprintf(c->reason, sizeof(c->reason), "%.290s", err->text);
	c->again = deadline_in_ms(c->failures < 5 ? 1000 << c->failures : 30000);
	c->failures++;
}

static void recovered(struct outpostd *d)
{
	if (commit_stalled(d))
		log_line(LOG_INFORMATION, "qmgr", 0, "the queue takes commits again");
	d->commit.reason[0] = '\0';
	d->commit.tight = false;
	d->commit.failures = 0;
}

/* Whether it may go better: with what was kept back, and without whole messages that are to go back to their
 * senders. On a disk that the queue itself has filled one of these would else stop all mail, and with that what
 * makes room. */
static bool make_room(struct outpostd *d)
{
	bool room = !d->commit.tight;

	d->commit.tight = true;
	return reserve_use(d) || room;
}

static int write_parts(struct outpostd *d, bool verdicts, bool submissions, struct error *err)
{
	if (verdicts && (settle_write(d, err) < 0 || relays_store(d, err) < 0))
		return -1;
	if (submissions)
		submissions_write(d);
	STEP("commit");
	return queue_commit(d->queue, err);
}

static int write_turn(struct outpostd *d, bool verdicts, bool submissions, struct error *err)
{
	if (queue_begin(d->queue, err) < 0)
		return -1;
	if (write_parts(d, verdicts, submissions, err) < 0) {
		queue_rollback(d->queue);
		settle_failed(d);
		return -1;
	}
	STEP("committed");
	recovered(d);
	if (verdicts)
		relays_stored(d);
	settle_committed(d);
	return 0;
}

/* A client without an answer asks again with its token, and is answered by whichever process has the queue then. */
static void answer(struct outpostd *d)
{
	struct error err = {0};

	if (submissions_ready(d) && !commit_counts(d, &err)) {
		accept_forget(d);
		submissions_forget(d);
		return;
	}
	accept_committed(d);
	submissions_committed(d);
}

void commit_turn(struct outpostd *d)
{
	bool verdicts = settle_waits(d);
	struct error err = {0};

	if (must_wait(d))
		return;
	if (submissions_ready(d))
		reload_if_changed(d);
	if (submissions_ready(d) && !reserve_ready(d)) {
		error_set(&err, REASON_STORAGE_FULL, "the disk of %s is full", d->queue_dir);
		submissions_failed(d, &err);
		if (!verdicts)
			return;
	}
	if (!submissions_prepare(d) && !verdicts)
		return;
	if (write_turn(d, verdicts, true, &err) == 0) {
		answer(d);
		return;
	}
	accept_forget(d);
	if (queue_again(d->queue))
		return; /* one submission was the reason: in the next turn it fails alone */
	err.reason = REASON_TEMPORARY;
	submissions_failed(d, &err);
	if (verdicts && make_room(d) && write_turn(d, true, false, &err) == 0)
		return;
	if (verdicts)
		stall(d, &err);
	else
		log_line(LOG_FAIL, "pickup", 0, "a submission could not be stored: %s", err.text);
}

deadline commit_deadline(struct outpostd *d)
{
	deadline first = verdicts_due(d);

	if (submissions_ready(d))
		first = deadline_first(first, deadline_in_ms(submissions_gather(d) ? 1 : 0));
	return first;
}
