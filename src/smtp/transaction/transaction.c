#include "config.h"
#include "smtp/transaction/transaction.h"
#include "base/limits.h"
#include "base/process/step.h"
#include "smtp/transaction/envelope.h"
#include "smtp/transaction/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>

enum { STREAM_PIECE = 32 << 10, BODY_MAX = 8 << 20, PROOF_LINES = 3000 };

/* ---- commands that are not answered yet */

static const struct {
	const char *words, *name;
	size_t seconds;		/* offset of its time-out in the session */
} commands[] = {
	[CMD_RSET] = {"sending RSET", "RSET command", offsetof(struct delivery_session, t_rset)},
	[CMD_MAIL] = {"sending MAIL FROM", "MAIL FROM command", offsetof(struct delivery_session, t_mail)},
	[CMD_RCPT] = {"sending RCPT TO", "RCPT TO command", offsetof(struct delivery_session, t_rcpt)},
	[CMD_DATA] = {"sending DATA command", "DATA command", offsetof(struct delivery_session, t_data_init)},
	[CMD_EOD] = {"sending end of data", "end of DATA command", offsetof(struct delivery_session, t_data_done)},
	[CMD_PROOF] = {"asking whether transactions may be in flight", "a trial of BDAT",
		       offsetof(struct delivery_session, t_rset)},
};

struct awaited *awaited_head(struct transfer *t)
{
	return t->count ? &t->queue[t->head] : NULL;
}

static int grow(struct transfer *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	struct awaited *queue = calloc(room, sizeof(*queue));

	if (!queue)
		return agent_down(t->a, REASON_SYSTEM, "out of memory");
	for (size_t i = 0; i < t->count; i++)
		queue[i] = t->queue[(t->head + i) % t->room];
	free(t->queue);
	t->queue = queue;
	t->head = 0;
	t->room = room;
	return 0;
}

static int awaited_add(struct transfer *t, enum command c, struct tx *x, size_t rcpt)
{
	if (t->count == t->room && grow(t) < 0)
		return -1;
	if (!t->count)
		t->since = clock_mono_ms();
	t->queue[(t->head + t->count++) % t->room] = (struct awaited){c, x, rcpt};
	if (x)
		x->unanswered++;
	return 0;
}

void awaited_pop(struct transfer *t)
{
	if (t->queue[t->head].tx)
		t->queue[t->head].tx->unanswered--;
	t->head = (t->head + 1) % t->room;
	t->count--;
	t->since = clock_mono_ms();
}

/* All is answered, and the next step is still to be written. */
static const char *const between_words[] = {
	[TX_RSET] = "sending RSET",         [TX_MAIL] = "sending MAIL FROM",    [TX_RCPT] = "sending RCPT TO",
	[TX_DATA] = "sending DATA command", [TX_BODY] = "sending message body", [TX_STREAM] = "sending message body",
	[TX_WRITTEN] = "sending RSET",
};

const char *awaited_words(const struct transfer *t)
{
	const struct awaited *w = t->count ? &t->queue[t->head] : NULL;

	if (!w)
		return t->first ? between_words[t->first->step] : "waiting for mail to send";
	if (w->tx && w->tx->body_open)
		return "sending message body";
	return commands[w->command].words;
}

const char *awaited_command(const struct transfer *t)
{
	const struct awaited *w = t->count ? &t->queue[t->head] : NULL;

	if (!w)
		return "nothing: it ended the session";
	return w->command == CMD_EOD && w->tx->chunk ? "BDAT command" : commands[w->command].name;
}

int awaited_seconds(const struct transfer *t)
{
	const struct awaited *w = &t->queue[t->head];

	if (w->tx && w->tx->body_open)
		return t->a->set.t_data_xfer;
	return *(const int *)(const void *)((const char *)&t->a->set + commands[w->command].seconds);
}

/* ---- writing one step; each returns whether it got any further */

static bool may_write(const struct transfer *t)
{
	return t->a->ehlo.pipelining || !t->count;
}

static bool write_rset(struct transfer *t, struct tx *x)
{
	if (t->used) {
		if (!may_write(t) || awaited_add(t, CMD_RSET, x, 0) < 0)
			return false;
		buf_adds(&t->a->ch.out, "RSET\r\n");
	}
	t->used = true;
	x->step = TX_MAIL;
	return true;
}

static void say_begun(struct transfer *t, struct message *m)
{
	if (m->begun)
		return;
	m->begun = true;
	m->begun_us = clock_mono_ms() * 1000;
	link_seq(&t->a->link, FROM_AGENT_BEGUN, m->m.seq);
}

static bool write_mail(struct transfer *t, struct tx *x)
{
	if (!may_write(t) || awaited_add(t, CMD_MAIL, x, 0) < 0)
		return false;
	say_begun(t, x->msg);
	envelope_mail(&t->a->ch.out, x->msg, &t->a->ehlo, x->chunk ? x->body.len : 0);
	STEP("smtp-mail");
	x->step = TX_RCPT;
	return true;
}

static bool write_rcpt(struct transfer *t, struct tx *x)
{
	if (x->mail_refused || x->written == x->nrcpt) {
		x->step = x->mail_refused ? TX_WRITTEN : TX_DATA;
		return true;
	}
	if (!may_write(t) || awaited_add(t, CMD_RCPT, x, x->written) < 0)
		return false;
	envelope_rcpt(&t->a->ch.out, &x->msg->m.recipients[x->rcpt[x->written++]], &t->a->ehlo);
	return true;
}

static bool write_data(struct transfer *t, struct tx *x)
{
	if (x->chunk) {
		x->step = TX_BODY;
		return true;
	}
	if (!may_write(t) || awaited_add(t, CMD_DATA, x, 0) < 0)
		return false;
	buf_adds(&t->a->ch.out, "DATA\r\n");
	x->step = TX_BODY;
	return true;
}

/* Here the message becomes the relay's as well: once the socket has this byte, only the relay's reply says whose it is.
 * The frame leaves before the byte does (agent_wait). */
static void say_last_byte(struct transfer *t, struct tx *x)
{
	link_seq(&t->a->link, FROM_AGENT_LASTBYTE, x->msg->m.seq);
	x->last_byte = true;
	x->body_open = false;
	x->step = TX_WRITTEN;
	if (awaited_head(t)->tx == x)
		t->since = clock_mono_ms();
	STEP("smtp-lastbyte");
}

static bool write_lone_dot(struct transfer *t, struct tx *x)
{
	if (awaited_add(t, CMD_EOD, x, 0) < 0)
		return false;
	buf_adds(&t->a->ch.out, ".\r\n");
	x->lone_dot = true;
	x->step = TX_WRITTEN;
	return true;
}

static bool write_chunk(struct transfer *t, struct tx *x)
{
	if (awaited_add(t, CMD_EOD, x, 0) < 0)
		return false;
	buf_addf(&t->a->ch.out, "BDAT %zu LAST\r\n", x->body.len);
	buf_add(&t->a->ch.out, buf_str(&x->body), x->body.len);
	if (x->whole)
		t->in_flight += x->body.len;
	say_last_byte(t, x);
	return true;
}

static bool write_body(struct transfer *t, struct tx *x)
{
	if (x->whole)
		return write_chunk(t, x);
	if (x->unanswered)
		return false;
	if (!x->accepted)	/* 354: for_nobody ends all others */
		return write_lone_dot(t, x);
	if (x->chunk)
		return write_chunk(t, x);
	if (x->msg->large && !x->msg->asked && !x->msg->complete)
		link_get(&t->a->link, x->msg);
	if (awaited_add(t, CMD_EOD, x, 0) < 0)
		return false;
	x->body_open = true;
	x->body_start = t->a->ch.sent;
	wire_init(&x->wire, true);
	x->step = TX_STREAM;
	return true;
}

/* Canonical bytes to their wire form, by way of the 7-bit form where the relay needs that. */
static int put_wire(struct tx *x, struct buf *out, const char *p, size_t n)
{
	struct buf seven;
	int rc;

	if (!x->recode)
		return wire_add(&x->wire, out, p, n);
	buf_init(&seven, BODY_MAX + LIMIT_HEADER * 8);	/* a header comes in one piece, when its end is there */
	rc = recode_add(x->recode, &seven, p, n);
	if (rc == 0)
		rc = wire_add(&x->wire, out, buf_str(&seven), seven.len);
	buf_free(&seven);
	return rc;
}

static int end_wire(struct tx *x, struct buf *out)
{
	struct buf seven;
	int rc = 0;

	buf_init(&seven, BODY_MAX + LIMIT_HEADER * 8);
	if (x->recode)
		rc = recode_end(x->recode, &seven);
	if (rc == 0 && seven.len)
		rc = wire_add(&x->wire, out, buf_str(&seven), seven.len);
	buf_free(&seven);
	return rc == 0 ? wire_end(&x->wire, out) : rc;
}

/* A transaction in the middle of its body can only be left by leaving the session: without its final dot nothing of it
 * counts. */
static bool leave_body(struct transfer *t, struct tx *x, const struct delivery_verdict *v)
{
	settle_all(t, x, v);
	agent_down(t->a, v->reason, "%s", v->text);
	return false;
}

static bool body_failed(struct transfer *t, struct tx *x, const char *why)
{
	struct delivery_verdict v;

	verdict_of_words(&v, REASON_QUEUE_READ, "queue read error: %.300s", why);
	return leave_body(t, x, &v);
}

/* A large one, found out on the way. */
static bool body_unencodable(struct transfer *t, struct tx *x)
{
	struct delivery_verdict v;

	envelope_unencodable(&v, agent_peer(t->a));
	return leave_body(t, x, &v);
}

static bool no_memory(struct transfer *t)
{
	agent_down(t->a, REASON_SYSTEM, "out of memory");
	return false;
}

static bool write_stream(struct transfer *t, struct tx *x)
{
	struct message *m = x->msg;
	size_t from = m->large ? 0 : (size_t)x->taken, left = m->body.len - from,
	       n = left < STREAM_PIECE ? left : STREAM_PIECE;

	if (m->failed)
		return body_failed(t, x, m->failure);
	if (!n && !m->complete)
		return false;
	if (put_wire(x, &t->a->ch.out, buf_str(&m->body) + from, n) < 0)
		return no_memory(t);
	if (x->recode && recode_broken(x->recode))
		return body_unencodable(t, x);
	x->taken += n;
	if (m->large)
		buf_drop(&m->body, n);	/* a small one stays, for the message's other transactions */
	if (left > n || !m->complete)
		return true;
	if (x->taken != m->m.size)
		return body_failed(t, x, "its size is not what it should be");
	if (end_wire(x, &t->a->ch.out) < 0)
		return no_memory(t);
	if (m->large)
		m->complete = false;	/* used up: another transaction has to ask for it again */
	say_last_byte(t, x);
	return true;
}

static bool (*const writers[])(struct transfer *t, struct tx *x) = {
	[TX_RSET] = write_rset,
	[TX_MAIL] = write_mail,
	[TX_RCPT] = write_rcpt,
	[TX_DATA] = write_data,
	[TX_BODY] = write_body,
	[TX_STREAM] = write_stream,
};

/* ---- beginning and ending a transaction */

static size_t recipients_at_once(const struct transfer *t)
{
	size_t n = t->a->set.recipient_limit > 0 ? (size_t)t->a->set.recipient_limit : 50;

	if (t->a->ehlo.rcpt_max && t->a->ehlo.rcpt_max < n)
		n = t->a->ehlo.rcpt_max;
	if (t->known.recipients && t->known.recipients < n)
		n = t->known.recipients;
	return n;
}

/* Recipients that can't be written for this relay are settled on the way. */
static void choose_recipients(struct transfer *t, struct tx *x, size_t max)
{
	struct message *m = x->msg;
	struct delivery_verdict v;

	for (size_t i = 0; i < m->m.nrecipients && x->nrcpt < max; i++) {
		if (m->state[i] != RCPT_TODO)
			continue;
		m->todo--;
		if (envelope_check_recipient(&m->m.recipients[i], &t->a->ehlo, agent_peer(t->a), &v) < 0) {
			settle_recipient(t, m, i, &v);
			continue;
		}
		m->state[i] = RCPT_TRYING;
		x->rcpt[x->nrcpt++] = i;
	}
}

static void free_tx(struct tx *x)
{
	recode_free(x->recode);
	buf_free(&x->body);
	free(x->rcpt);
	free(x);
}

static struct tx *new_tx(struct transfer *t, struct message *m)
{
	size_t max = recipients_at_once(t);
	struct tx *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	buf_init(&x->body, BODY_MAX);
	x->msg = m;
	x->rcpt = calloc(max, sizeof(*x->rcpt));
	if (!x->rcpt || (envelope_recodes(m, &t->a->ehlo) && !(x->recode = recode_new()))) {
		free_tx(x);
		return NULL;
	}
	choose_recipients(t, x, max);
	return x;
}

/* A small body, whole: its wire form is made at once, since BDAT has to say its size. */
static int prepare_chunk(struct tx *x)
{
	const struct message *m = x->msg;

	wire_init(&x->wire, false);
	if (put_wire(x, &x->body, buf_str(&m->body), m->body.len) < 0 || end_wire(x, &x->body) < 0)
		return -1;
	return buf_ok(&x->body) ? 0 : -1;
}

/* A large message goes by DATA, also where BDAT is fit. It would gain no round trip: its 354 comes with the replies to
 * its recipients. And BDAT wants to know the length before the first byte, which for a body that is streamed, and
 * perhaps re-encoded, nobody does; in several chunks, Exchange answers each but the last 5 s late. */
static bool chunk_will_do(const struct transfer *t, const struct message *m)
{
	return t->a->ehlo.chunking && t->a->ehlo.pipelining && !m->large && m->complete && !m->failed && m->body.len;
}

static void append_tx(struct transfer *t, struct tx *x)
{
	if (t->last)
		t->last->next = x;
	else
		t->first = x;
	t->last = t->writing = x;
	t->ntx++;
	x->msg->open++;
}

static int start_tx(struct transfer *t, struct message *m)
{
	struct tx *x = new_tx(t, m);

	if (!x)
		return agent_down(t->a, REASON_SYSTEM, "out of memory");
	if (!x->nrcpt) {
		free_tx(x);
		return 0;
	}
	x->chunk = chunk_will_do(t, m);
	if (x->chunk && prepare_chunk(x) < 0) {
		free_tx(x);
		return agent_down(t->a, REASON_SYSTEM, "out of memory");
	}
	x->whole = x->chunk && window_open(&t->window, t->ntx, t->in_flight, x->body.len);
	append_tx(t, x);
	return 0;
}

/* A large body that was streamed has to come again for the message's other recipients. */
static void end_of_message_body(struct message *m)
{
	if (!m->large || m->open)
		return;
	buf_reset(&m->body);
	m->complete = m->failed = false;
	m->abandoned = m->asked;
}

/* Frees one that is answered and settled, and what it held of its message. */
static void drop_tx(struct transfer *t, struct tx *x)
{
	struct tx **at = &t->first, *before = NULL;

	while (*at != x) {
		before = *at;
		at = &(*at)->next;
	}
	*at = x->next;
	if (t->last == x)
		t->last = before;
	if (t->writing == x)
		t->writing = NULL;
	if (x->whole && x->last_byte)
		t->in_flight -= x->body.len;
	t->ntx--;
	x->msg->open--;
	x->msg->ended_us = clock_mono_ms() * 1000;
	end_of_message_body(x->msg);
	free_tx(x);
}

static void offer_again(struct tx *x)
{
	struct message *m = x->msg;

	for (size_t i = 0; i < x->nrcpt; i++) {
		unsigned char *state = &m->state[x->rcpt[i]];

		if (*state != RCPT_TRYING && *state != RCPT_ACCEPTED)
			continue;
		*state = RCPT_TODO;
		m->todo++;
	}
	m->open--;
	m->ended_us = clock_mono_ms() * 1000;
}

void transaction_free_all(struct transfer *t)
{
	while (t->first) {
		struct tx *x = t->first;

		t->first = x->next;
		offer_again(x);
		free_tx(x);
	}
	free(t->queue);
	t->queue = NULL;
	t->last = t->writing = NULL;
	t->ntx = 0;
	t->count = t->room = 0;
	buf_free(&t->proof_mail);
}

/* Any transaction that passed off well shows how a MAIL has to look here. */
static void keep_mail(struct transfer *t, const struct tx *x)
{
	if (t->window.proof != PROOF_UNKNOWN)
		return;
	buf_reset(&t->proof_mail);
	envelope_plain_mail(&t->proof_mail, x->msg->m.sender, &t->a->ehlo);
}

/* Everybody is refused before a byte of the body was promised: what would still be written is for nobody. */
static bool for_nobody(const struct tx *x)
{
	if (x->unanswered || x->accepted || x->go || x->whole || x->step <= TX_MAIL)
		return false;
	return x->mail_refused || x->written == x->nrcpt;
}

void transaction_conclude(struct transfer *t, struct tx *x)
{
	if (t->writing == x && for_nobody(x)) {
		x->step = TX_WRITTEN;
		t->writing = NULL;
	}
	if (x->unanswered || x->step != TX_WRITTEN || t->writing == x)
		return;
	t->concluded = true;
	if (t->known.no_rset && t->closing == OPEN)
		t->closing = CLOSE_ORDERLY;	/* a second one would need RSET */
	if (x->any_sent) {
		t->served = true;
		window_accepted(&t->window);
		keep_mail(t, x);
	} else {
		window_refused(&t->window);
		if (window_tired(&t->window) && t->closing == OPEN)
			t->closing = CLOSE_ORDERLY;
	}
	drop_tx(t, x);
}

/* ---- the proof: a relay that runs a refused chunk as commands answers 221 to its first line and is found out. A
 * second MAIL, to see what RSET does, would not do: Dovecot's submission server 2.3.19 answers it 503, though it is
 * fine with whole transactions. */

static int write_proof(struct transfer *t)
{
	struct buf *out = &t->a->ch.out;

	for (size_t i = 0; i < PROOF_COMMANDS; i++)
		if (awaited_add(t, CMD_PROOF, NULL, i) < 0)
			return -1;
	buf_adds(out, "RSET\r\n");
	buf_add(out, buf_str(&t->proof_mail), t->proof_mail.len);
	buf_addf(out, "BDAT %d LAST\r\n", PROOF_LINES * 6);
	for (int i = 0; i < PROOF_LINES; i++)
		buf_adds(out, "QUIT\r\n");
	buf_adds(out, "RSET\r\n");
	t->window.proof = PROOF_ASKED;
	return buf_ok(out) ? 0 : agent_down(t->a, REASON_SYSTEM, "out of memory");
}

/* ---- feeding */

static unsigned waiting(const struct transfer *t)
{
	unsigned n = 0;

	for (const struct message *m = t->a->link.first; m && n < WINDOW_BACKLOG; m = m->next)
		n += m->listed && m->todo;
	return n;
}

static struct message *next_message(struct transfer *t)
{
	struct message *m = t->a->link.first;

	while (m && (!m->listed || !m->todo))
		m = m->next;
	return m;
}

/* 1: may start; 0: not yet; -1: it was settled without the relay. */
static int ready(struct transfer *t, struct message *m)
{
	struct delivery_verdict v;
	int rc;

	if ((!m->large && !m->complete) || m->abandoned)
		return 0;
	if (m->failed || (!m->large && m->body.len != m->m.size)) {
		verdict_of_words(&v, REASON_QUEUE_READ, "queue read error: %.300s", m->failed ? m->failure :
				 "its size is not what it should be");
		settle_message(t, m, &v);
		return -1;
	}
	rc = envelope_check(m, &t->a->ehlo, agent_peer(t->a), &v);
	if (rc < 0) {
		settle_message(t, m, &v);
		return -1;
	}
	if (rc > 0 && m->large && !m->asked && !m->complete)
		link_get(&t->a->link, m);
	return rc == 0;
}

/* Behind a transaction that is in flight the next follows only inside the window; behind one whose answer to the end of
 * data is awaited, its commands follow, and it waits with its body. */
static bool room_for_next(const struct transfer *t)
{
	if (!t->a->ehlo.pipelining || t->known.no_rset)
		return !t->ntx;
	if (t->ntx < 2)
		return true;
	return window_open(&t->window, t->ntx, t->in_flight, 1);
}

static int start_next(struct transfer *t, bool *more)
{
	struct message *m;
	int rc;

	*more = false;
	if (t->closing != OPEN || t->window.proof == PROOF_ASKED || !room_for_next(t))
		return 0;
	if (window_wants_proof(&t->window, waiting(t)))
		return t->count ? 0 : write_proof(t);
	m = next_message(t);
	rc = m ? ready(t, m) : 0;
	if (rc == 0)
		return 0;
	*more = true;
	return rc < 0 ? 0 : start_tx(t, m);
}

/* When the session is to be left, only what was begun and can't be left is written on. */
static bool leave_it(const struct transfer *t, const struct tx *x)
{
	return t->closing != OPEN && x->step != TX_STREAM && !(x->whole && x->step != TX_RSET);
}

static bool write_step(struct transfer *t, struct tx *x)
{
	bool command = x->step < TX_BODY;
	size_t from = t->a->ch.out.len;
	bool further = writers[x->step](t, x);

	if (command && t->a->ch.out.len > from + 2)
		agent_transcript(t->a, '>', t->a->ch.out.data + from, t->a->ch.out.len - from - 2);
	return further;
}

/* One step; *more: it got further. */
static int feed_step(struct transfer *t, bool *more)
{
	struct tx *x = t->writing;

	*more = true;
	if (!x)
		return start_next(t, more);
	if (x->step == TX_WRITTEN) {
		t->writing = NULL;
		transaction_conclude(t, x);
		return 0;
	}
	*more = !leave_it(t, x) && write_step(t, x);
	return 0;
}

int transaction_feed(struct transfer *t)
{
	bool more = true;

	while (more && t->a->ch.out.len < CHANNEL_FULL && !t->a->ch.eof) {
		if (feed_step(t, &more) < 0)
			return -1;
		if (t->a->down.reason && t->closing != CLOSE_DOWN)
			return -1;
		if (!buf_ok(&t->a->ch.out))	/* a command that was left out would shift all replies by one */
			return agent_down(t->a, REASON_SYSTEM, "out of memory");
	}
	return 0;
}
