/*
 * queue_run.c: the question "wake", a user's `sendmail -q`: what waits is tried now; with a letter and a text
 * (-qRtext) only what fits, and the rest keeps its time. For root and the queue's owner a relay that is down is tried
 * too, unless it refused the password. Whoever may not see others' addresses (authorized_mailq_users) moves only their
 * own mail: what happens to another's would tell whether the text fits.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <string.h>
#include <unistd.h>

#include "base/text/text.h"

enum { PAGE = 50 };

static bool is_admin(const struct client *c)
{
	return c->uid == 0 || c->uid == geteuid();
}

static bool holds(const char *s, const char *text)
{
	for (; *s; s++)
		if (ascii_case_prefix(s, text))
			return true;
	return !*text;
}

static bool goes_to(const struct queue_row *r, const char *text)
{
	for (size_t i = 0; i < r->nrecipients; i++) {
		const struct queue_row_recipient *to = &r->recipients[i];

		if (to->state == 'q' && (holds(to->address, text) || holds(to->original, text)))
			return true;
	}
	return false;
}

static bool is_picked(struct client *c, struct queue_row *r)
{
	const struct question *q = c->question;
	struct error ignored;
	bool found = false;

	if (!q->pick)
		return true;
	if (q->pick == 'I')
		found = holds(r->id, q->text);
	else if (q->pick == 'S')
		found = holds(r->sender, q->text);
	else
		do
			found = goes_to(r, q->text);
		while (!found && queue_row_more(c->d->queue, r, &ignored) > 0);
	return found != q->not;
}

static bool wake_begin(struct client *c, char **args, int n)
{
	struct question *q = c->question;

	if (client_allowed(c, P_authorized_flush_users) <= 0)
		return question_ends(c, EX_NOPERM, "authorized_flush_users does not name you");
	if (c->d->shutdown.closed)
		return false; /* its connection ends, and it asks the next outpostd */
	q->all = is_admin(c) || client_allowed(c, P_authorized_mailq_users) > 0;
	if (n == 0 && is_admin(c)) {
		flush_start(c->d, false);
		return question_ends(c, EX_OK, "the queue is run");
	}
	if (n > 0) {
		q->not = args[0][0] == '!';
		q->pick = args[0][q->not];
		if (n == 2 && strlen(args[0]) == 1u + q->not && strchr("IRS", q->pick))
			q->text = strdup(args[1]);
		if (!q->text)
			return question_ends(c, EX_USAGE, "wake takes I, R or S, and a text");
	}
	question_awaits_incoming(c);
	return true;
}

/* How many there were is reported only to those who may see them. */
static bool wake_ends(struct client *c)
{
	const struct question *q = c->question;

	if (q->picked && is_admin(c))
		relays_retry_now(c->d, false);
	schedule_reset(c->d);
	if (!q->all)
		return question_ends(c, EX_OK, "what fits is tried now");
	if (!q->picked && q->pick == 'I' && !q->not)
		return question_ends(c, EX_DATAERR, "no queued message's id holds \"%s\"", q->text);
	return question_ends(c, EX_OK, "%llu messages are tried now", (unsigned long long)q->picked);
}

static bool wake_more(struct client *c)
{
	struct queue_filter f = {.states = "q", .by_uid = !c->question->all, .uid = c->uid};
	struct queue_row rows[PAGE];
	int64_t fit[PAGE];
	struct error err = {0};
	size_t nfit = 0;
	int n = queue_list(c->d->queue, &f, &c->question->key, rows, PAGE, &err);

	for (int i = 0; i < n; i++) {
		if (is_picked(c, &rows[i]) && !claim_known(c->d, rows[i].row))
			fit[nfit++] = rows[i].row;
		queue_row_free(&rows[i]);
	}
	if (n < 0 || (nfit && queue_now(c->d->queue, fit, nfit, clock_us(c->d), &err) < 0))
		return question_ends(c, EX_TEMPFAIL, "%s", err.text);
	c->question->picked += nfit;
	if (n == 0)
		return wake_ends(c);
	/* Output brings the next turn; the number is only for those who may see it. */
	buf_addf(&c->out, "#%llu\n", c->question->all ? (unsigned long long)c->question->picked : 0ULL);
	return true;
}

const struct verb verb_wake = {.name = "wake", .max_args = 2, .begin = wake_begin, .more = wake_more};
