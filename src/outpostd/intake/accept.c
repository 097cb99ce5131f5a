/* accept.c: recipients are rewritten, and each address is kept once. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/log.h"
#include "base/process/step.h"

struct accepted {
	char id[QUEUE_ID];
	uid_t uid;
	char *sender;
	int64_t arrival;
	bool queue_only;
};

/* While rewriting makes several of one. */
struct list {
	struct accept_recipients *to;
	const struct submission_recipient *from;
	struct error *err;
};

static int list_add(void *arg, const char *address)
{
	struct list *l = arg;
	struct accept_recipients *to = l->to;
	struct queue_new_recipient *r;

	if (to->n >= LIMIT_RECIPIENTS)
		return error_set(l->err, REASON_TOO_MANY_RECIPIENTS, "more than %d recipients", LIMIT_RECIPIENTS);
	r = array_add(&to->list, &to->n, &to->cap, sizeof(*r));
	if (!r)
		return error_set(l->err, REASON_TEMPORARY, "out of memory");
	*r = (struct queue_new_recipient){.address = strdup(address), .original = l->from->address,
					  .orcpt = l->from->orcpt, .notify = l->from->notify};
	return r->address ? 0 : error_set(l->err, REASON_TEMPORARY, "out of memory");
}

static int by_address(const void *a, const void *b)
{
	const struct queue_new_recipient *const *x = a, *const *y = b;
	int c = strcasecmp((*x)->address, (*y)->address);

	/* Equal ones in the order of their arrival: the first one stays. */
	return c ? c : (*x > *y) - (*x < *y);
}

/* Two aliases may lead to one address; it gets the message once. */
static int make_unique(struct accept_recipients *to)
{
	struct queue_new_recipient **sorted;
	size_t kept = 0;

	if (to->n < 2)
		return 0;
	sorted = malloc(to->n * sizeof(struct queue_new_recipient *));
	if (!sorted)
		return -1;
	for (size_t i = 0; i < to->n; i++)
		sorted[i] = &to->list[i];
	qsort(sorted, to->n, sizeof(struct queue_new_recipient *), by_address);
	for (size_t i = to->n - 1; i > 0; i--)
		if (strcasecmp(sorted[i]->address, sorted[i - 1]->address) == 0) {
			free((void *)(uintptr_t)sorted[i]->address);
			sorted[i]->address = NULL;
		}
	free(sorted);
	for (size_t i = 0; i < to->n; i++)
		if (to->list[i].address)
			to->list[kept++] = to->list[i];
	to->n = kept;
	return 0;
}

void accept_recipients_free(struct accept_recipients *to)
{
	for (size_t i = 0; i < to->n; i++)
		free((void *)(uintptr_t)to->list[i].address);
	free(to->list);
	*to = (struct accept_recipients){0};
}

static int rewrite_all(struct outpostd *d, const struct submission *s, struct list *l, struct buf *note)
{
	struct submission_recipient copy = {.address = d->rules.r.always_bcc, .notify = DSN_NEVER};

	for (size_t i = 0; i < s->nrecipients; i++) {
		l->from = &s->recipients[i];
		if (rewrite_recipient(&d->rules.r, l->from->address, list_add, l, note, l->err) < 0)
			return -1;
	}
	l->from = &copy;
	return rewrite_always_bcc(&d->rules.r, list_add, l, note, l->err);
}

static void log_notes(struct buf *note)
{
	for (char *line = note->len ? note->data : NULL, *next; line && *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		log_line(LOG_WARN, "cleanup", 0, "%s", line);
	}
}

int accept_prepare(struct outpostd *d, const struct submission *s, unsigned since, struct accept_recipients *to,
		   struct error *err)
{
	struct list l = {.to = to, .err = err};
	struct buf note;
	int rc;

	buf_init(&note, 65536);
	lists_ask(d, since);
	rc = rewrite_all(d, s, &l, &note);
	if (rc < 0 && lists_awaited(d))
		rc = 1;
	else
		log_notes(&note);
	buf_free(&note);
	if (rc == 0 && to->n == 0)
		rc = error_set(err, REASON_BAD_ADDRESS, "the recipients' aliases lead to nobody");
	if (rc == 0 && make_unique(to) < 0)
		rc = error_set(err, REASON_TEMPORARY, "out of memory");
	if (rc != 0)
		accept_recipients_free(to);
	return rc;
}

static int note_accepted(struct outpostd *d, const struct submission *s, uid_t uid, int64_t arrival, const char *id)
{
	struct acceptance *all = &d->acceptance;
	struct accepted *a = array_add(&all->list, &all->n, &all->cap, sizeof(*a));

	if (!a)
		return -1;
	*a = (struct accepted){.uid = uid, .sender = strdup(s->sender), .arrival = arrival,
			       .queue_only = s->queue_only};
	snprintf(a->id, sizeof(a->id), "%s", id);
	all->n -= a->sender ? 0 : 1;
	return a->sender ? 0 : -1;
}

/* -odq: left to the next run of the queue. */
static int64_t later(struct outpostd *d)
{
	return clock_us(d) + conf_seconds(d->conf, P_minimal_backoff_time) * 1000000;
}

static int put(struct outpostd *d, const struct accept_source *from, const char *sender, int64_t next_attempt,
	       const struct accept_recipients *to, char id[QUEUE_ID], struct error *err)
{
	const struct submission *s = from->s;
	struct queue_new n = {
		.uid = from->who->uid, .user = from->who->name, .sender = sender, .envid = s->envid, .ret = s->ret,
		.body = s->body, .smtputf8 = s->smtputf8, .size = from->size, .header_size = s->header_size,
		.arrival = from->arrival, .next_attempt = next_attempt, .recipients = to->list, .nrecipients = to->n,
	};

	memcpy(n.token, s->token, sizeof(n.token));
	STEP("put");
	return queue_put(d->queue, &n, from->read, from->arg, id, err);
}

int accept_submission(struct outpostd *d, const struct accept_source *from, const struct accept_recipients *to,
		      char id[QUEUE_ID], struct error *err)
{
	const struct submission *s = from->s;
	const char *sender = rewrite_is_mailer_daemon(&d->rules.r, s->sender) ? "" : s->sender;
	int rc = put(d, from, sender, s->queue_only ? later(d) : 0, to, id, err);

	/* 1: it is a message already, by its token. */
	if (rc == 0 && note_accepted(d, s, from->who->uid, from->arrival, id) < 0)
		rc = error_set(err, REASON_TEMPORARY, "out of memory");
	return rc < 0 ? -1 : 0;
}

/* ---- what was acknowledged, and cannot be sent */

static int fail_some(struct outpostd *d, const struct queue_message *m, bool notify, const struct error *why,
		     struct error *err)
{
	struct bounce_recipient *list = calloc(m->nrecipients, sizeof(*list));
	const char *dsn = error_dsn(why);
	int64_t now = clock_us(d);
	size_t n = 0;
	bool done;
	int rc = 0;

	if (!list)
		return error_set(err, REASON_TEMPORARY, "out of memory");
	for (size_t i = 0; i < m->nrecipients; i++)
		if (!m->recipients[i].notify || (m->recipients[i].notify & DSN_FAILURE))
			list[n++] = (struct bounce_recipient){&m->recipients[i], dsn, why->text, "none", now};
	if (notify && n)
		rc = bounce_put(d, m, DSN_ACTION_FAILED, list, n, err);
	for (size_t i = 0; i < m->nrecipients && rc == 0; i++)
		rc = queue_settle(d->queue, &(struct queue_settle){
			.row = m->row, .recipient = m->recipients[i].id, .fate = QUEUE_FAILED, .now = now,
			.counted = true,
			.reason = why->reason, .dsn = dsn, .text = why->text, .relay = "none"}, &done, err);
	free(list);
	return rc;
}

static int fail_all(struct outpostd *d, int64_t row, const struct error *why, struct error *err)
{
	for (bool first = true;; first = false) {
		struct queue_message m;
		int rc = queue_fetch(d->queue, row, 0, true, CLAIM_RECIPIENTS, &m, err);

		if (rc <= 0)
			return rc;
		rc = fail_some(d, &m, first, why, err);
		queue_message_free(&m);
		if (rc < 0)
			return -1;
	}
}

static int as_submitted(const struct submission *s, struct accept_recipients *to, struct error *err)
{
	struct list l = {.to = to, .err = err};

	for (size_t i = 0; i < s->nrecipients; i++) {
		l.from = &s->recipients[i];
		if (list_add(&l, l.from->address) < 0)
			return -1;
	}
	return 0;
}

int accept_to_fail(struct outpostd *d, const struct accept_source *from, const struct error *why, struct error *err)
{
	struct accept_recipients to = {0};
	char id[QUEUE_ID], full[QUEUE_ID];
	int64_t row;
	int rc = as_submitted(from->s, &to, err);

	if (rc == 0)
		rc = put(d, from, from->s->sender, 0, &to, id, err);
	accept_recipients_free(&to);
	if (rc != 0)
		return rc < 0 ? -1 : 0; /* known already */
	log_line(LOG_WARN, "pickup", 0, "%s: uid=%u from=<%s>: cannot be sent: %s", id, (unsigned)from->who->uid,
		 from->s->sender, why->text);
	if (queue_find(d->queue, id, true, &row, full, err) != 1)
		return error_set(err, REASON_TEMPORARY, "%s is not there", id);
	return fail_all(d, row, why, err);
}

void accept_forget(struct outpostd *d)
{
	for (size_t i = 0; i < d->acceptance.n; i++)
		free(d->acceptance.list[i].sender);
	d->acceptance.n = 0;
}

void accept_free(struct outpostd *d)
{
	free(d->acceptance.list);
	d->acceptance = (struct acceptance){0};
}

void accept_committed(struct outpostd *d)
{
	for (size_t i = 0; i < d->acceptance.n; i++) {
		const struct accepted *a = &d->acceptance.list[i];

		event_pickup(a->id, a->uid, a->sender);
		flush_note_mail(d);
		lanes_changed(d);
		if (!a->queue_only) {
			lanes_new_mail(d, a->uid, a->arrival);
			shutdown_note_mail(d);
		}
	}
	accept_forget(d);
}
