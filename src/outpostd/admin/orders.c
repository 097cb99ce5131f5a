/* orders.c: what the administrator's socket does and reports at once: messages held, released, retried, deleted;
 * status. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <unistd.h>

#include "base/log.h"

/* ---- edits */

static const struct edit {
	const struct verb *verb;
	int (*change)(struct queue *q, int64_t row, int64_t now, struct error *err);
	const char *done, *not;
} edits[] = {
	{&verb_hold, queue_hold, "held", "is not queued"},
	{&verb_release, queue_release, "released from hold", "is not held"},
	{&verb_retry, queue_retry, "queued again", "is neither deferred nor failed"},
	{&verb_delete, queue_delete, "removed by the administrator", "is not there to delete"},
};

/* Ids are whole: an abbreviation may mean another message a moment later. What an agent has cannot be taken back: the
 * relay may have the mail already. */
static bool edit_begin(struct client *c, char **args, int n)
{
	const struct edit *e = edits;
	struct error err = {0};
	char full[QUEUE_ID];
	int64_t row;
	int rc = queue_find(c->d->queue, args[0], true, &row, full, &err);

	(void)n;
	while (e->verb != c->question->verb)
		e++;
	if (rc == 0)
		return question_ends(c, EX_DATAERR, "no message %s in the queue (ids are given whole here)", args[0]);
	if (rc == 1 && e->verb == &verb_delete && claim_known(c->d, row))
		return question_ends(c, EX_TEMPFAIL, "%s: is being sent at this moment", full);
	if (rc == 1)
		rc = e->change(c->d->queue, row, clock_us(c->d), &err);
	if (rc < 0)
		return question_ends(c, error_exit(&err), "%s: %s", args[0], err.text);
	if (rc == 0)
		return question_ends(c, EX_UNAVAILABLE, "%s: %s", full, e->not);
	log_line(LOG_INFORMATION, "qmgr", 0, "%s: %s", full, e->done);
	schedule_reset(c->d);
	return question_ends(c, EX_OK, "%s: %s", full, e->done);
}

const struct verb verb_hold = {.name = "hold", .admin = true, .min_args = 1, .max_args = 1, .begin = edit_begin};
const struct verb verb_release = {.name = "release", .admin = true, .min_args = 1, .max_args = 1, .begin = edit_begin};
const struct verb verb_retry = {.name = "retry", .admin = true, .min_args = 1, .max_args = 1, .begin = edit_begin};
const struct verb verb_delete = {.name = "delete", .admin = true, .min_args = 1, .max_args = 1, .begin = edit_begin};

/* Lines "NAME VALUE": pid, agents, active, stalled, once, conf-error, relay-error, relay-dsn, relay-reason,
 * door. */
static bool status_begin(struct client *c, char **args, int n)
{
	struct outpostd *d = c->d;
	const char *reason;
	char dsn[12];
	enum reason why;

	(void)args, (void)n;
	buf_addf(&c->out,
		 ">pid %d\n>agents %zu\n>active %zu\n>clients %zu\n>waiting %zu\n>stalled %d\n>once %d\n>door %s\n",
		 (int)getpid(), agents_count(d), d->claims.n, d->clients.n, d->door.nwaiting,
		 commit_stalled(d) != NULL, d->once,
		 d->door.path);
	if (reload_error(d))
		buf_addf(&c->out, ">conf-error %s\n", reload_error(d)->text);
	reason = relays_reason(d, &why, dsn);
	if (reason)
		buf_addf(&c->out, ">relay-error %s\n>relay-dsn %s\n>relay-reason %s\n", reason, dsn, reason_name(why));
	return question_ends(c, EX_OK, "at work");
}

const struct verb verb_status = {.name = "status", .admin = true, .begin = status_begin};

/* The ids that agents have at this moment, one a line: what a listing marks '*'. */
static bool active_begin(struct client *c, char **args, int n)
{
	(void)args, (void)n;
	claims_list(c->d, &c->out);
	return question_ends(c, EX_OK, "%zu being delivered", c->d->claims.n);
}

const struct verb verb_active = {.name = "active", .admin = true, .begin = active_begin};
