/* questions.c: questions at the door and at the administrator's socket: mailq in pages, so that neither a slow terminal
 * nor a million messages hold anything. */
#include "config.h"
#include "outpostd/admin/questions.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sock.h"
#include "base/text.h"
#include "control/control.h"
#include "mail/listing.h"

enum { PAGE = 50, GROUPS_MAX = 256 };

static const struct verb *const verbs[] = {
	&verb_mailq, &verb_wake, &verb_flush, &verb_hold, &verb_release, &verb_retry, &verb_delete, &verb_reload,
	&verb_status, &verb_active,
};

bool ask_ends(struct client *c, int code, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_put_end(&c->out, code, text);
	return false;
}

static bool begin(struct client *c, char **words, int n)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *v = verbs[i];

		if (strcmp(v->name, words[0]) != 0 || (v->admin && !c->admin))
			continue;
		if (n - 1 < v->min_args || n - 1 > v->max_args)
			return ask_ends(c, EX_USAGE, "%s takes other arguments", v->name);
		c->question = calloc(1, sizeof(*c->question));
		if (!c->question)
			return ask_ends(c, EX_TEMPFAIL, "no memory");
		c->question->verb = v;
		return v->begin(c, words + 1, n - 1);
	}
	return ask_ends(c, EX_UNAVAILABLE, "this outpostd does not know how to %s%s", words[0],
			c->admin ? "" : " for everybody");
}

void ask_begin(struct client *c, char **words, int n)
{
	if (!begin(c, words, n))
		c->closing = true;
}

bool ask_more(struct client *c)
{
	return c->question->verb->more ? c->question->verb->more(c) : true;
}

void ask_end(struct client *c)
{
	if (c->question) {
		free(c->question->text);
		queue_row_free(&c->question->rest);
	}
	free(c->question);
	c->question = NULL;
}

/* ---- mailq [json | count] */

int ask_allowed(struct client *c, enum conf_param p)
{
	gid_t groups[GROUPS_MAX + 1] = {c->gid};
	struct user who;
	int n;

	if (c->admin)
		return 1;
	n = sock_peer_groups(c->watch.fd, groups + 1, GROUPS_MAX);
	user_of(c->d, c->uid, &who);
	return user_named(c->d, p, &who, groups, n > 0 ? (size_t)n + 1 : 1);
}

static bool mailq_begin(struct client *c, char **args, int n)
{
	struct question *q = c->question;

	q->json = n == 1 && strcmp(args[0], "json") == 0;
	q->count = n == 1 && strcmp(args[0], "count") == 0;
	q->all = ask_allowed(c, P_authorized_mailq_users) > 0;
	if (incoming_busy(c->d))
		incoming_take(c->d); /* totals are always true */
	return true;
}

/* A relay's words quote addresses: who may not see those gets only what is said of the relay itself. */
static const char *shown_reason(const struct listing_row *row, const char *own, const char *of_relay)
{
	const char *reason = own && !row->masked ? own : of_relay;

	return row->masked && reason && strchr(reason, '@') ? NULL : reason;
}

/* The row with the recipients it has at the moment. */
static void put_piece(struct client *c, const struct queue_row *r, bool continued, struct buf *page)
{
	struct listing_recipient *list = calloc(r->nrecipients + 1, sizeof(*list));
	struct listing_row row = {
		.id = r->id, .active = claim_known(c->d, r->row), .held = r->state == 'h', .failed = r->state == 'f',
		.size = r->size, .arrival = r->arrival, .sender = r->sender, .uid = r->uid, .recipients = list,
		.masked = !c->question->all && r->uid != c->uid, .continued = continued,
	};
	char dsn[12] = "";
	int code;
	const char *reason = relay_reason(c->d, &code, dsn);

	if (!list)
		return;
	for (size_t i = 0; i < r->nrecipients; i++) {
		const char *why = r->recipients[i].state == 'q' ? reason : NULL;

		if (r->recipients[i].state == 's' || (r->recipients[i].state == 'f' && r->state != 'f'))
			continue;
		list[row.nrecipients++] = (struct listing_recipient){
			.address = r->recipients[i].address, .original = r->recipients[i].original,
			.reason = shown_reason(&row, r->recipients[i].text, why),
			.dsn = r->recipients[i].dsn ? r->recipients[i].dsn : why ? dsn : NULL,
			.state = r->recipients[i].state, .attempts = r->recipients[i].attempts,
			.next_attempt = r->recipients[i].next_attempt,
		};
	}
	if (!continued)
		listing_begin(page, &row, c->question->json);
	listing_recipients(page, &row, c->question->json);
	if (!r->more)
		listing_end(page, c->question->json);
	free(list);
}

/* The next recipients of the message with many. Where they can't be read any more it ends here. */
static void put_rest(struct client *c, struct buf *page)
{
	struct queue_row *rest = &c->question->rest;
	struct error ignored;

	if (queue_row_more(c->d->queue, rest, &ignored) <= 0)
		rest->more = false;
	put_piece(c, rest, true, page);
	if (!rest->more)
		queue_row_free(rest);
}

/* Prints these rows and frees them; one that goes on is the last, and its rest the next turn's. */
static void put_rows(struct client *c, struct queue_row *rows, int n, struct buf *page)
{
	struct question *q = c->question;

	for (int i = 0; i < n; i++) {
		if (!q->rest.more) {
			q->key = rows[i].row;
			put_piece(c, &rows[i], false, page);
			if (rows[i].more) {
				q->rest = rows[i];
				continue;
			}
		}
		queue_row_free(&rows[i]);
	}
}

static bool mailq_foot(struct client *c, struct buf *page)
{
	struct queue_totals t;
	struct error err = {0};

	if (queue_totals(c->d->queue, &t, &err) < 0)
		return ask_ends(c, EX_TEMPFAIL, "%s", err.text);
	if (c->question->count)
		buf_addf(page, "Total requests: %llu\n", (unsigned long long)(t.queued + t.held));
	else if (!c->question->json)
		listing_text_foot(page, &(struct listing_totals){t.queued + t.held, t.bytes});
	control_put_bytes(&c->out, page->data, page->len);
	return ask_ends(c, EX_OK, "%llu messages", (unsigned long long)(t.queued + t.held));
}

static bool mailq_page(struct client *c, struct buf *page)
{
	struct question *q = c->question;
	struct queue_filter f = {.states = "qh"};
	struct queue_row rows[PAGE];
	struct error err = {0};
	int64_t key = q->key;
	int n;

	if (q->count)
		return mailq_foot(c, page);
	if (q->rest.more) {
		put_rest(c, page);
		control_put_bytes(&c->out, page->data, page->len);
		return true;
	}
	n = queue_list(c->d->queue, &f, &key, rows, PAGE, &err);
	if (n < 0)
		return ask_ends(c, EX_TEMPFAIL, "%s", err.text);
	if (n && !q->head && !q->json)
		listing_text_head(page);
	q->head = true;
	if (n == 0)
		return mailq_foot(c, page);
	put_rows(c, rows, n, page);
	control_put_bytes(&c->out, page->data, page->len);
	return true;
}

static bool mailq_more(struct client *c)
{
	struct buf page;
	bool more;

	buf_init(&page, 64 << 20);
	more = mailq_page(c, &page);
	buf_free(&page);
	return more;
}

const struct verb verb_mailq = {.name = "mailq", .max_args = 1, .begin = mailq_begin, .more = mailq_more};

/* ---- wake: somebody's `sendmail -q`: what is due is tried now, and what waits as well. For root and the queue's
 * owner a relay that is down is tried too; but nobody may make us knock with a password that was refused. With a
 * letter and a text (-qRtext) only what fits falls due; the rest keeps its time. */

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

	if (ask_allowed(c, P_authorized_flush_users) <= 0)
		return ask_ends(c, EX_NOPERM, "authorized_flush_users does not name you");
	if (c->d->parting)
		return false; /* hung up on, he asks the next of us */
	c->d->incoming.look = true;
	if (n == 0) {
		flush_start(c->d, is_admin(c) ? FLUSH_RELAYS : FLUSH_MAIL);
		return ask_ends(c, EX_OK, "the queue is run");
	}
	q->not = args[0][0] == '!';
	q->pick = args[0][q->not];
	q->text = n == 2 && strlen(args[0]) == 1u + q->not && strchr("IRS", q->pick) ? strdup(args[1]) : NULL;
	if (!q->text)
		return ask_ends(c, EX_USAGE, "wake takes I, R or S, and a text");
	q->all = ask_allowed(c, P_authorized_mailq_users) > 0;
	incoming_take(c->d);
	return true;
}

/* How many there were is told to those alone who might have looked. */
static bool wake_ends(struct client *c)
{
	const struct question *q = c->question;

	if (q->picked && is_admin(c))
		relay_force(c->d, false);
	schedule_reset(c->d);
	if (!q->all)
		return ask_ends(c, EX_OK, "what fits is tried now");
	if (!q->picked && q->pick == 'I' && !q->not)
		return ask_ends(c, EX_DATAERR, "no queued message's id holds \"%s\"", q->text);
	return ask_ends(c, EX_OK, "%llu messages are tried now", (unsigned long long)q->picked);
}

static bool wake_more(struct client *c)
{
	struct queue_filter f = {.states = "q"};
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
		return ask_ends(c, EX_TEMPFAIL, "%s", err.text);
	c->question->picked += nfit;
	if (n == 0)
		return wake_ends(c);
	/* What is said brings us the next turn; a number only for those who might have looked. */
	buf_addf(&c->out, "#%llu\n", c->question->all ? (unsigned long long)c->question->picked : 0ULL);
	return true;
}

const struct verb verb_wake = {.name = "wake", .max_args = 2, .begin = wake_begin, .more = wake_more};
