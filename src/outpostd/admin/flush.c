/* flush.c: the order "flush", and the queue runs of `sendmail -q`. */
#include "config.h"
#include "outpostd/outpostd.h"

#include "base/log.h"

enum { FRESH_MS = 10 * 1000, PROGRESS_MS = 100 };

static void put_progress(struct client *c, const struct flush *f)
{
	uint64_t left = f->total > f->done ? f->total - f->done : 0;

	buf_addf(&c->out, "#%llu %llu %llu %llu %llu\n", (unsigned long long)f->done, (unsigned long long)f->sent,
		 (unsigned long long)f->deferred, (unsigned long long)f->failed, (unsigned long long)left);
}

/* A flusher that was started for a flush may have sent all there was before it is asked: so it counts from its
 * beginning on, and a question that comes soon after gets these counts, too. */
void flush_expect(struct outpostd *d)
{
	if (d->once || d->door.managed)
		d->flush.fresh = deadline_in_ms(FRESH_MS);
}

/* One that comes while another is under way is the same one, made longer: the first to ask gets the counts of all
 * of it. */
void flush_start(struct outpostd *d, bool all)
{
	struct flush *f = &d->flush;
	struct queue_totals t = {0};
	struct error err = {0};

	reload_if_changed(d);
	incoming_look(d);
	if (queue_totals(d->queue, &t, &err) < 0)
		log_line(LOG_FAIL, "qmgr", 0, "%s", err.text);
	if (!f->on && deadline_over(f->fresh))
		*f = (struct flush){0};
	f->on = true;
	f->fresh = 0;
	f->since = clock_mono_ms();
	f->total = f->done + t.queued;
	f->all |= all;
	relays_retry_now(d, all);
	lanes_force(d, true);
}

void flush_note_mail(struct outpostd *d)
{
	d->flush.total++;
}

void flush_retry_relay(struct outpostd *d, struct relay *r, int64_t since)
{
	if (d->flush.on && since < d->flush.since)
		relay_retry_now(r, d->flush.all);
}

void flush_count(struct outpostd *d, unsigned outcome)
{
	struct flush *f = &d->flush;

	if (!outcome)
		return;
	f->done++;
	if (outcome & OUTCOME_FAILED)
		f->failed++;
	else if (outcome & OUTCOME_DEFERRED)
		f->deferred++;
	else
		f->sent++;
}

static bool flush_end(struct client *c)
{
	struct flush *f = &c->d->flush;
	struct queue_totals t = {0};
	struct error err = {0};
	char failed[80] = "", held[80] = "", dsn[12];
	const char *reason;
	size_t outside = incoming_count(c->d);
	enum reason why = REASON_NONE;

	put_progress(c, f);
	if (queue_totals(c->d->queue, &t, &err) < 0)
		return question_ends(c, EX_TEMPFAIL, "%s", err.text);
	if (f->failed)
		snprintf(failed, sizeof(failed), ", %llu failed", (unsigned long long)f->failed);
	if (t.held)
		snprintf(held, sizeof(held), ", %llu held", (unsigned long long)t.held);
	if (t.queued == 0 && outside)
		return question_ends(c, EX_TEMPFAIL,
				     "%llu sent%s%s, but %zu submissions could not be taken into the queue: "
				     "see the log",
				(unsigned long long)f->sent, failed, held, outside);
	if (t.queued == 0)
		return question_ends(c, EX_OK, "%llu sent%s%s, nothing is left to send", (unsigned long long)f->sent,
				     failed, held);
	reason = commit_stalled(c->d);
	if (!reason)
		reason = relays_reason(c->d, &why, dsn);
	return question_ends(c, reason_is_in_our_files(why) ? EX_CONFIG : EX_TEMPFAIL,
			     "%llu sent%s%s, %llu deferred%s%s",
			(unsigned long long)f->sent, failed, held, (unsigned long long)t.queued, reason ? ": " : "",
			reason ? reason : "");
}

static bool flush_begin(struct client *c, char **args, int n)
{
	(void)args, (void)n;
	flush_start(c->d, true);
	return true;
}

static bool flush_more(struct client *c)
{
	return c->d->flush.on ? true : flush_end(c);
}

const struct verb verb_flush = {.name = "flush", .admin = true, .begin = flush_begin, .more = flush_more};

static void report(struct client *c)
{
	if (c->d->flush.on && c->out.len == 0)
		put_progress(c, &c->d->flush);
	client_flush(c);
}

static bool all_tried(struct outpostd *d)
{
	return schedule_idle(d) && (commit_stalled(d) || !incoming_busy(d));
}

void flush_check(struct outpostd *d)
{
	struct flush *f = &d->flush;

	if (!f->on)
		return;
	/* What came in on the way (a bounce) may be due before what was looked at last: look once more without
	 * force. */
	if (all_tried(d) && d->lanes.force)
		lanes_force(d, false);
	if (all_tried(d)) {
		f->on = false;
		shutdown_note_run(d);
		clients_asking(d, &verb_flush, report);
	} else if (f->done != f->reported_done && deadline_over(f->report_at)) {
		f->report_at = deadline_in_ms(PROGRESS_MS);
		f->reported_done = f->done;
		clients_asking(d, &verb_flush, report);
	}
}
