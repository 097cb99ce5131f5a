/* mailq_question.c: the question "mailq [json | count]": listings in pages, so that neither a slow terminal nor a
 * million messages hold anything. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "mail/mailq_format.h"

enum { PAGE = 50 };

static bool mailq_begin(struct client *c, char **args, int n)
{
	struct question *q = c->question;

	q->json = n == 1 && strcmp(args[0], "json") == 0;
	q->count = n == 1 && strcmp(args[0], "count") == 0;
	q->all = client_allowed(c, P_authorized_mailq_users) > 0;
	if (incoming_busy(c->d))
		question_awaits_incoming(c);
	return true;
}

/* Of another's recipient only what is known of the relay itself, and quotes no address. */
static struct listing_recipient masked_recipient(const struct queue_row_recipient *r, const char *of_relay)
{
	return (struct listing_recipient){
		.state = r->state, .reason = of_relay && !strchr(of_relay, '@') ? of_relay : NULL,
	};
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
	enum reason waits = REASON_NONE;
	const char *reason = relays_reason(c->d, &waits, dsn);

	if (!list)
		return;
	for (size_t i = 0; i < r->nrecipients; i++) {
		const char *why = r->recipients[i].state == 'q' ? reason : NULL;

		if (r->recipients[i].state == 's' || (r->recipients[i].state == 'f' && r->state != 'f'))
			continue;
		if (row.masked) {
			list[row.nrecipients++] = masked_recipient(&r->recipients[i], why);
			continue;
		}
		list[row.nrecipients++] = (struct listing_recipient){
			.address = r->recipients[i].address, .original = r->recipients[i].original,
			.reason = r->recipients[i].text ? r->recipients[i].text : why,
			.why = r->recipients[i].reason ? r->recipients[i].reason : why ? waits : REASON_NONE,
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

/* The next recipients of the message with many. Where they cannot be read any more it ends here. */
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
		return question_ends(c, EX_TEMPFAIL, "%s", err.text);
	if (c->question->count)
		buf_addf(page, "Total requests: %llu\n", (unsigned long long)(t.queued + t.held));
	else if (!c->question->json)
		listing_text_foot(page, &(struct listing_totals){t.queued + t.held, t.bytes});
	control_put_bytes(&c->out, page->data, page->len);
	return question_ends(c, EX_OK, "%llu messages", (unsigned long long)(t.queued + t.held));
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
		return question_ends(c, EX_TEMPFAIL, "%s", err.text);
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
