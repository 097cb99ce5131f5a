/* flush.c: what only the administrator's socket answers. */
#include "config.h"
#include "outpostd/admin/questions.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/control.h"

enum { FRESH_MS = 10 * 1000 };

/* ---- flush: everything that is queued, now; told to all who asked. */

static void put_progress(struct client *c, const struct flush *f)
{
	uint64_t left = f->total > f->done ? f->total - f->done : 0;

	buf_addf(&c->out, "#%llu %llu %llu %llu %llu\n", (unsigned long long)f->done, (unsigned long long)f->sent,
		 (unsigned long long)f->deferred, (unsigned long long)f->failed, (unsigned long long)left);
}

/* A flusher that was started for a flush may have sent all there was before it is asked: so it counts from its
 * beginning on, and who asks soon after is told of that, too. */
void flush_expect(struct outpostd *d)
{
	if (d->once || d->socket_activated)
		d->flush.fresh = deadline_in_ms(FRESH_MS);
}

/* One that comes while another is under way is the same one, made longer: who asked first is told of all of it. */
void flush_start(struct outpostd *d, enum flush_reach reach)
{
	struct flush *f = &d->flush;
	struct queue_totals t = {0};
	struct error err = {0};

	reload_if_changed(d);
	d->incoming.look = true;
	if (queue_totals(d->queue, &t, &err) < 0)
		log_line(LOG_FAIL, "qmgr", 0, "%s", err.text);
	if (!f->on && deadline_over(f->fresh))
		*f = (struct flush){0};
	f->on = true;
	f->fresh = 0;
	f->since = clock_mono_ms();
	f->total = f->done + t.queued;
	if (reach > f->reach)
		f->reach = reach;
	if (reach != FLUSH_MAIL)
		relay_force(d, reach == FLUSH_ALL);
	schedule_force(d, true);
}

void flush_counted(struct outpostd *d, const struct claim *c)
{
	struct flush *f = &d->flush;

	if (!(c->sent || c->deferred || c->failed))
		return;
	f->done++;
	f->failed += c->failed;
	f->deferred += !c->failed && c->deferred;
	f->sent += !c->failed && !c->deferred;
}

static bool flush_end(struct client *c)
{
	struct flush *f = &c->d->flush;
	struct queue_totals t = {0};
	struct error err = {0};
	char failed[80] = "", held[80] = "", dsn[12];
	const char *reason;
	size_t outside = incoming_count(c->d);
	int code = 0;

	put_progress(c, f);
	if (queue_totals(c->d->queue, &t, &err) < 0)
		return ask_ends(c, EX_TEMPFAIL, "%s", err.text);
	if (f->failed)
		snprintf(failed, sizeof(failed), ", %llu failed", (unsigned long long)f->failed);
	if (t.held)
		snprintf(held, sizeof(held), ", %llu held", (unsigned long long)t.held);
	if (t.queued == 0 && outside)
		return ask_ends(c, EX_TEMPFAIL,
				"%llu sent%s%s, but %zu submissions could not be taken into the queue: see the log",
				(unsigned long long)f->sent, failed, held, outside);
	if (t.queued == 0)
		return ask_ends(c, EX_OK, "%llu sent%s%s, nothing is left to send", (unsigned long long)f->sent, failed,
				held);
	reason = c->d->stalled ? c->d->stall : relay_reason(c->d, &code, dsn);
	return ask_ends(c, code == EX_CONFIG ? EX_CONFIG : EX_TEMPFAIL, "%llu sent%s%s, %llu deferred%s%s",
			(unsigned long long)f->sent, failed, held, (unsigned long long)t.queued, reason ? ": " : "",
			reason ? reason : "");
}

static bool flush_begin(struct client *c, char **args, int n)
{
	(void)args, (void)n;
	flush_start(c->d, FLUSH_ALL);
	return true;
}

static bool flush_more(struct client *c)
{
	return c->d->flush.on ? true : flush_end(c);
}

const struct verb verb_flush = {.name = "flush", .admin = true, .begin = flush_begin, .more = flush_more};

static void tell_all(struct outpostd *d)
{
	struct client *next;

	for (struct client *c = d->door.clients; c; c = next) {
		next = c->next;
		if (!c->question || c->question->verb != &verb_flush)
			continue;
		if (d->flush.on && c->out.len == 0)
			put_progress(c, &d->flush);
		client_flush(c);
	}
}

static bool all_tried(struct outpostd *d)
{
	return schedule_idle(d) && (d->stalled || !incoming_busy(d));
}

/* Once per turn. */
void flush_check(struct outpostd *d)
{
	struct flush *f = &d->flush;

	if (!f->on)
		return;
	/* What came up on the way (a bounce) may be due before what was looked at last: look once more without
	 * force. */
	if (all_tried(d) && d->schedule.force)
		schedule_force(d, false);
	if (all_tried(d)) {
		f->on = false;
		d->flushed = true;
		tell_all(d);
	} else if (f->done != f->told_done && deadline_over(f->told)) {
		f->told = deadline_in_ms(100);
		f->told_done = f->done;
		tell_all(d);
	}
}

/* ---- edits */

typedef int (*edit)(struct queue *q, int64_t row, int64_t now, struct error *err);

static bool edit_one(struct client *c, const char *id, edit what, const char *done, const char *not)
{
	struct error err = {0};
	char full[QUEUE_ID];
	int64_t row;
	int rc = queue_find(c->d->queue, id, false, &row, full, &err);

	if (rc == 0)
		return ask_ends(c, EX_DATAERR, "%s: no such message", id);
	if (rc == 2)
		return ask_ends(c, EX_DATAERR, "%s: more than one message's id begins so", id);
	if (rc == 1)
		rc = what(c->d->queue, row, clock_us(c->d), &err);
	if (rc < 0)
		return ask_ends(c, error_exit(&err), "%s: %s", id, err.text);
	if (rc == 0)
		return ask_ends(c, EX_UNAVAILABLE, "%s: %s", full, not);
	log_line(LOG_INFORMATION, "qmgr", 0, "%s: %s", full, done);
	schedule_reset(c->d);
	return ask_ends(c, EX_OK, "%s: %s", full, done);
}

static bool hold_begin(struct client *c, char **args, int n)
{
	(void)n;
	return edit_one(c, args[0], queue_hold, "held", "is not queued");
}

static bool release_begin(struct client *c, char **args, int n)
{
	(void)n;
	return edit_one(c, args[0], queue_release, "released from hold", "is not held");
}

static bool retry_begin(struct client *c, char **args, int n)
{
	(void)n;
	return edit_one(c, args[0], queue_retry, "queued again", "is neither deferred nor failed");
}

/* What an agent has can't be taken back: the mail may be the relay's already. */
static bool delete_begin(struct client *c, char **args, int n)
{
	struct error err = {0};
	char full[QUEUE_ID];
	int64_t row;

	(void)n;
	if (queue_find(c->d->queue, args[0], false, &row, full, &err) == 1 && claim_known(c->d, row))
		return ask_ends(c, EX_TEMPFAIL, "%s: is being sent at this moment", full);
	return edit_one(c, args[0], queue_delete, "removed by the administrator", "is not there to delete");
}

const struct verb verb_hold = {.name = "hold", .admin = true, .min_args = 1, .max_args = 1, .begin = hold_begin};
const struct verb verb_release = {
	.name = "release", .admin = true, .min_args = 1, .max_args = 1, .begin = release_begin};
const struct verb verb_retry = {.name = "retry", .admin = true, .min_args = 1, .max_args = 1, .begin = retry_begin};
const struct verb verb_delete = {.name = "delete", .admin = true, .min_args = 1, .max_args = 1, .begin = delete_begin};

/* ---- reload, status */

static bool reload_begin(struct client *c, char **args, int n)
{
	(void)args, (void)n;
	reload_now(c->d);
	if (c->d->conf_error.reason)
		return ask_ends(c, error_exit(&c->d->conf_error), "the configuration stays as it was: %s",
				c->d->conf_error.text);
	return ask_ends(c, EX_OK, "the configuration was read again");
}

const struct verb verb_reload = {.name = "reload", .admin = true, .begin = reload_begin};

/* Lines "NAME VALUE": pid, agents, active, stalled, once, conf-error, relay-error, relay-dsn, door. */
static bool status_begin(struct client *c, char **args, int n)
{
	struct outpostd *d = c->d;
	const char *reason;
	char dsn[12];
	int code = 0;
	size_t agents = 0;

	(void)args, (void)n;
	for (const struct agent *a = d->agents; a; a = a->next)
		agents++;
	buf_addf(&c->out,
		 ">pid %d\n>agents %zu\n>active %zu\n>clients %zu\n>waiting %zu\n>stalled %d\n>once %d\n>door %s\n",
		 (int)getpid(), agents, d->schedule.nclaims, d->door.nclients, d->door.nwaiting, d->stalled, d->once,
		 d->door.path);
	if (d->conf_error.reason)
		buf_addf(&c->out, ">conf-error %s\n", d->conf_error.text);
	reason = relay_reason(d, &code, dsn);
	if (reason)
		buf_addf(&c->out, ">relay-error %s\n>relay-dsn %s\n", reason, dsn);
	return ask_ends(c, EX_OK, "at work");
}

const struct verb verb_status = {.name = "status", .admin = true, .begin = status_begin};

/* The ids that agents have at this moment, one a line: what a listing marks '*'. */
static bool active_begin(struct client *c, char **args, int n)
{
	struct schedule *s = &c->d->schedule;

	(void)args, (void)n;
	for (size_t i = 0; i < s->nclaims; i++)
		buf_addf(&c->out, ">%s\n", s->claims[i]->m.id);
	return ask_ends(c, EX_OK, "%zu being delivered", s->nclaims);
}

const struct verb verb_active = {.name = "active", .admin = true, .begin = active_begin};
