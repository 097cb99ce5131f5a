#include "config.h"
#include "smtp/session.h"
#include "smtp/transaction/transaction.h"

#include <string.h>

enum { SLOWEST = 500 };	/* bytes per second below which a body runs into its deadline */

static deadline until(const struct transfer *t)
{
	return t->count ? t->since + (deadline)awaited_seconds(t) * 1000 : DEADLINE_NEVER;
}

/* Every time-out of a body begins anew once it has brought its bytes. What a socket's buffer took at once buys no more
 * time than that: a relay that stops reading is found out. */
static void pace_body(struct transfer *t)
{
	struct tx *x = t->count ? t->queue[t->head].tx : NULL;

	if (!x || !x->body_open || t->a->ch.sent - x->body_start < (uint64_t)awaited_seconds(t) * SLOWEST)
		return;
	x->body_start = t->a->ch.sent;
	t->since = clock_mono_ms();
}

/* Nothing is under way, and nothing more will come. */
static bool done(const struct transfer *t)
{
	if (t->count)
		return false;
	return t->closing != OPEN || (t->a->link.quit && !t->a->link.first);
}

/* 0: go on; -1: the session is over. */
static int turn(struct transfer *t)
{
	struct agent *a = t->a;
	int rc;

	pace_body(t);
	rc = agent_wait(a, until(t));
	if (rc < 0)
		return -1;
	if (answer_take(t) < 0)
		return -1;
	if (a->ch.eof)
		return answer_lost(t);
	return rc == 0 && t->count && deadline_over(until(t)) ? answer_late(t) : 0;
}

static int run(struct transfer *t)
{
	while (!done(t)) {
		if (transaction_feed(t) < 0)
			return -1;
		link_finish(&t->a->link, &t->a->connect_us);
		if (done(t))
			break;
		if (turn(t) < 0)
			return t->closing == CLOSE_ORDERLY ? 0 : -1;
	}
	return t->closing == CLOSE_DOWN ? -1 : 0;
}

/* A relay that waits for a body reads QUIT as text. */
static bool in_body(const struct transfer *t)
{
	for (const struct tx *x = t->first; x; x = x->next)
		if (x->go && !x->lone_dot && !x->last_byte)
			return true;
	return false;
}

/* What earlier sessions found out, unless another program answers by now. */
static void remember(struct transfer *t)
{
	struct ehlo *e = &t->a->ehlo;

	delivery_read_known(t->a->set.known, &t->known);
	if (t->known.offers && t->known.offers != ehlo_hash(e))
		memset(&t->known, 0, sizeof(t->known));
	if (t->known.no_bdat)
		e->chunking = false;
	window_init(&t->window, (unsigned)t->a->set.pipeline_window, e->pipelining && e->chunking, &t->known);
}

/* How many transactions in flight went well here is where the next session begins. */
static void keep_window(struct transfer *t)
{
	if (t->window.proof != PROOF_YES || t->known.window == t->window.size)
		return;
	t->known.window = t->window.size;
	say_known(t);
}

int transfer_run(struct agent *a)
{
	struct transfer t = {.a = a};
	int rc;

	buf_init(&t.proof_mail, 8192);
	remember(&t);
	rc = run(&t);
	keep_window(&t);
	a->down.served = t.concluded;
	if (rc < 0)
		settle_broken(&t);
	if (t.count || in_body(&t))
		channel_close(&a->ch);
	transaction_free_all(&t);
	link_finish(&a->link, &a->connect_us);
	return rc;
}
