#include "config.h"
#include "smtp/transaction/transaction.h"
#include "base/process/step.h"
#include "smtp/transaction/verdict.h"

#include <stdio.h>
#include <string.h>

/* ---- settling */

void settle_recipient(struct transfer *t, struct message *m, size_t i, const struct delivery_verdict *v)
{
	struct delivery_verdict mine = *v;

	mine.seq = m->m.seq;
	mine.recipient = m->m.recipients[i].id;
	mine.relayed_dsn = v->fate == FATE_SENT && t->a->ehlo.dsn && m->m.recipients[i].notify != 0;
	m->state[i] = RCPT_SETTLED;
	delivery_put_verdict(&t->a->link.out, &mine);
}

void settle_all(struct transfer *t, struct tx *x, const struct delivery_verdict *v)
{
	for (size_t i = 0; i < x->nrcpt; i++)
		if (x->msg->state[x->rcpt[i]] != RCPT_SETTLED && x->msg->state[x->rcpt[i]] != RCPT_TODO)
			settle_recipient(t, x->msg, x->rcpt[i], v);
}

static void settle_accepted(struct transfer *t, struct tx *x, const struct delivery_verdict *v)
{
	for (size_t i = 0; i < x->nrcpt; i++)
		if (x->msg->state[x->rcpt[i]] == RCPT_ACCEPTED)
			settle_recipient(t, x->msg, x->rcpt[i], v);
}

void settle_message(struct transfer *t, struct message *m, const struct delivery_verdict *v)
{
	for (size_t i = 0; i < m->m.nrecipients; i++) {
		if (m->state[i] != RCPT_TODO)
			continue;
		m->todo--;
		settle_recipient(t, m, i, v);
	}
	if (m->large && !m->open)
		m->abandoned = m->asked;
}

/* What a relay dies of, having answered all that was asked, must not be the first thing that it is given again. */
static struct tx *begun(struct tx *x)
{
	return x && x->step > TX_MAIL ? x : NULL;
}

void settle_broken(struct transfer *t)
{
	struct awaited *w = awaited_head(t);
	struct tx *speaking = !w ? begun(t->first) : w->command != CMD_RSET ? w->tx : NULL;
	struct delivery_verdict v;

	for (struct tx *x = t->first; x; x = x->next) {
		/* a 421 to the end of data is an answer: this message was not taken */
		bool answered = x == speaking && t->refused;

		if (x != speaking && !(x->last_byte && x->accepted + x->whole))
			continue;
		verdict_of_words(&v, t->a->down.reason, "%.1200s%s", t->a->down.text,
				 x->last_byte && !answered ? " -- message may be delivered twice" : "");
		snprintf(v.dsn, sizeof(v.dsn), "%s", t->a->down.dsn);
		settle_all(t, x, &v);
	}
}

/* ---- what a reply does to the session */

void say_known(struct transfer *t)
{
	t->known.offers = ehlo_hash(&t->a->ehlo);
	delivery_put_known(&t->a->link.out, &t->known);
}

/* In order: the connection has done what it could. */
static int leave(struct transfer *t)
{
	t->closing = CLOSE_ORDERLY;
	return -1;
}

/* Whatever it was: at this relay transactions are no longer in flight. */
static void revoke(struct transfer *t)
{
	if (t->window.proof != PROOF_YES && t->window.proof != PROOF_ASKED)
		return;
	t->window.proof = PROOF_NO;
	t->known.flight = FLIGHT_NO;
	say_known(t);
}

/* Nobody knows any more which reply belongs to what. The session is over; the relay is down for it only when this was
 * all that a fresh connection brought (down.served). */
static int out_of_step(struct transfer *t, const char *why)
{
	char said[300];

	revoke(t);
	return agent_down(t->a, REASON_SMTP_PROTOCOL, "host %s %s: %s", agent_peer(t->a), why,
			  reply_quote(&t->a->reply, said, sizeof(said)));
}

static enum reply_stage stage_of(const struct awaited *w)
{
	return !w || w->command <= CMD_MAIL || w->command == CMD_PROOF ? STAGE_MAIL : w->command == CMD_RCPT ?
		STAGE_RCPT : STAGE_DATA;
}

static enum reason why_refused(const struct transfer *t, enum reply_stage stage)
{
	return reply_reason(&t->a->reply, stage, t->a->authenticated);
}

/* "421 ... timeout", "421 too many messages on this connection": the end of this connection, no reproach. */
static bool ends_connection_only(const struct transfer *t)
{
	const struct reply *r = &t->a->reply;

	if (why_refused(t, STAGE_MAIL) == REASON_CONNECTION_SPENT)
		return true;
	return r->dsn[0] && strncmp(r->dsn, "4.7.", 4) != 0 && strncmp(r->dsn, "4.3.2", 5) != 0;
}

/* At the beginning of a new message, or before: nothing that was said is lost with the connection. */
static bool between(const struct awaited *w)
{
	return !w || w->command == CMD_RSET || w->command == CMD_MAIL || w->command == CMD_PROOF;
}

/* 421 ends the session whatever it answers, and so does any 4xx that answers nothing. On a connection that served, or
 * has nothing to do, and without a reproach, the next connection goes on where this one stopped. It does as well where
 * one message's bad addresses were too many for the relay: it counts them anew, and the others' mail does not wait for
 * that. */
static int closed(struct transfer *t, const struct awaited *w)
{
	if (t->window.proof == PROOF_YES)
		window_halve(&t->window);
	if ((t->served || !w) && between(w) && ends_connection_only(t))
		return leave(t);
	t->refused = true;
	return agent_refused(t->a, stage_of(w), awaited_command(t));
}

/* 221 answers nothing but QUIT: the relay left, and what it was asked for it did not do. */
static int left(struct transfer *t)
{
	struct channel *ch = &t->a->ch;
	char said[sizeof(ch->trouble) - 40];

	snprintf(ch->trouble, sizeof(ch->trouble), "it said: %s", reply_quote(&t->a->reply, said, sizeof(said)));
	ch->eof = true;
	return answer_lost(t);
}

/* The relay wants less of us, or refuses us rather than the message. What is in flight is still answered. */
static void look_for_reproach(struct transfer *t, enum reply_stage stage, const char *what)
{
	enum reason why = why_refused(t, stage);

	if (t->closing != OPEN || (!reason_needs_admin(why) && reason_class(why) != CLASS_SLOW))
		return;
	agent_refused(t->a, stage, what);
	t->closing = CLOSE_DOWN;
}

/* A refusal: of us, or only of what it answers? *v says what becomes of that. */
static void judge(struct transfer *t, const struct awaited *w, struct delivery_verdict *v)
{
	look_for_reproach(t, stage_of(w), awaited_command(t));
	verdict_of_reply(t->a, stage_of(w), awaited_command(t), v);
}

/* ---- replies to each command */

/* A relay that does not know RSET, or whose RSET does nothing, gets one message for each connection: nobody knows what
 * it keeps of the last one. Outside the window nothing of the body was said, so that the message goes at once over the
 * next connection. Every connection ends its first transaction, so this ends. */
static int keeps_the_last(struct transfer *t, const struct tx *x, const char *why)
{
	char said[300];

	if (!t->concluded)
		return out_of_step(t, why);
	t->known.no_rset = true;
	t->known.flight = FLIGHT_NO;
	t->window.proof = PROOF_NO;
	say_known(t);
	if (x->last_byte)
		return out_of_step(t, why);
	link_log(&t->a->link, LOG_INFORMATION, "host %s %s: %s: one message for each connection from now on",
		 agent_peer(t->a), why, reply_quote(&t->a->reply, said, sizeof(said)));
	return leave(t);
}

/* "451 4.4.2 Timeout waiting for data" came just before our RSET did, and does not speak of it. */
static int on_rset(struct transfer *t, const struct awaited *w)
{
	if (reply_ok(&t->a->reply))
		return 0;
	if (t->a->reply.code / 100 == 4 && t->served && ends_connection_only(t))
		return closed(t, w);
	return keeps_the_last(t, w->tx, "refused RSET");
}

static int on_mail(struct transfer *t, const struct awaited *w)
{
	struct delivery_verdict v;

	if (reply_ok(&t->a->reply))
		return 0;
	if ((t->a->reply.code == 503 && !reason_needs_admin(why_refused(t, STAGE_MAIL))) || t->a->reply.code / 100 == 3)
		return keeps_the_last(t, w->tx, "lost track of the session: in reply to MAIL FROM it said");
	w->tx->mail_refused = true;
	judge(t, w, &v);
	settle_all(t, w->tx, &v);
	return 0;
}

/* 452 (some say 552) behind accepted ones means the transaction, not the recipient (RFC 5321 4.5.3.1.10), unless it
 * speaks of his mailbox. */
static bool too_many(const struct transfer *t, const struct tx *x)
{
	const struct reply *r = &t->a->reply;

	enum reason why;

	if ((r->code != 452 && r->code != 552) || !x->accepted)
		return false;
	why = why_refused(t, STAGE_RCPT);
	return why == REASON_TOO_MANY_RECIPIENTS || (!r->dsn[0] && why != REASON_MAILBOX_FULL);
}

static void again_later(struct transfer *t, struct tx *x, size_t i)
{
	size_t limit = x->accepted > x->nrcpt / 2 ? x->accepted : x->nrcpt / 2;

	x->msg->state[x->rcpt[i]] = RCPT_TODO;
	x->msg->todo++;
	if (t->known.recipients == limit)
		return;
	t->known.recipients = (uint32_t)limit;
	say_known(t);
}

static int on_rcpt(struct transfer *t, const struct awaited *w)
{
	struct tx *x = w->tx;
	struct delivery_verdict v;

	if (x->mail_refused)
		return x->whole && reply_ok(&t->a->reply) ? out_of_step(t, "accepted a recipient of a refused message")
							  : 0;
	if (t->a->reply.code / 100 == 3)
		return out_of_step(t, "answered RCPT TO with");
	if (reply_ok(&t->a->reply)) {
		x->msg->state[x->rcpt[w->rcpt]] = RCPT_ACCEPTED;
		x->accepted++;
		return 0;
	}
	if (too_many(t, x)) {
		again_later(t, x, w->rcpt);
		return 0;
	}
	judge(t, w, &v);
	settle_recipient(t, x->msg, x->rcpt[w->rcpt], &v);
	return 0;
}

static int on_data(struct transfer *t, const struct awaited *w)
{
	struct tx *x = w->tx;
	struct delivery_verdict v;

	if (t->a->reply.code == 354) {
		x->go = true;
		return 0;
	}
	if (t->a->reply.code / 100 <= 3)
		return out_of_step(t, "answered DATA with");
	if (!x->accepted)
		return 0;
	judge(t, w, &v);
	settle_accepted(t, x, &v);
	x->accepted = 0;
	return 0;
}

/* Refused in the middle of its body: the verdict is good, but nobody knows any more where the relay reads. */
static int too_early(struct transfer *t, struct tx *x, const struct delivery_verdict *v)
{
	if (v->fate == FATE_SENT)
		return out_of_step(t, "accepted a message before its end");
	settle_accepted(t, x, v);
	if (t->closing == OPEN)
		t->closing = CLOSE_ORDERLY;
	return -1;
}

/* The relay offers CHUNKING and does not know BDAT, or not here. That is no verdict on the message. The chunk is on its
 * way, and may be read as commands: nothing more is said on this connection, and the next, told by outpostd, uses
 * DATA. */
static bool knows_no_chunks(const struct transfer *t, const struct tx *x)
{
	const struct reply *r = &t->a->reply;

	return x->chunk && x->accepted && r->code >= 500 && r->code <= 504;
}

static int without_chunks(struct transfer *t, struct tx *x)
{
	if (x->whole)
		return out_of_step(t, "lost track of the session: in reply to BDAT it said");
	link_log(&t->a->link, LOG_WARN, "%s: host %s offers CHUNKING and refuses BDAT (%d): trying again with DATA",
		 x->msg->m.queue_id, agent_peer(t->a), t->a->reply.code);
	t->known.no_bdat = true;
	say_known(t);
	link_seq(&t->a->link, FROM_AGENT_BEGUN, x->msg->m.seq);
	return leave(t);
}

static int on_end(struct transfer *t, const struct awaited *w)
{
	struct tx *x = w->tx;
	struct delivery_verdict v;

	if (t->a->reply.code / 100 == 3)
		return out_of_step(t, "answered the end of data with");
	if (knows_no_chunks(t, x))
		return without_chunks(t, x);
	if (x->accepted && !reply_ok(&t->a->reply))
		judge(t, w, &v);
	else
		verdict_of_reply(t->a, STAGE_DATA, awaited_command(t), &v);
	if (x->body_open)
		return too_early(t, x, &v);
	if (!x->accepted)
		return v.fate == FATE_SENT && !x->lone_dot ? out_of_step(t, "accepted a message for nobody") : 0;
	STEP("smtp-accepted");
	settle_accepted(t, x, &v);
	x->any_sent = v.fate == FATE_SENT;
	return 0;
}

static int on_proof(struct transfer *t, const struct awaited *w)
{
	if (reply_ok(&t->a->reply) != (w->rcpt != PROOF_BDAT)) {
		revoke(t);
		return leave(t);
	}
	if (w->rcpt == PROOF_COMMANDS - 1) {
		t->window.proof = PROOF_YES;
		t->known.flight = FLIGHT_YES;
		say_known(t);
	}
	return 0;
}

static int (*const takers[])(struct transfer *t, const struct awaited *w) = {
	[CMD_RSET] = on_rset,
	[CMD_MAIL] = on_mail,
	[CMD_RCPT] = on_rcpt,
	[CMD_DATA] = on_data,
	[CMD_EOD] = on_end,
	[CMD_PROOF] = on_proof,
};

/* ---- whether a reply looks like one to this command */

static void look_of(const struct reply *r, struct look *l)
{
	l->known = true;
	snprintf(l->dsn, sizeof(l->dsn), "%s", r->dsn);
	snprintf(l->words, sizeof(l->words), "%.150s", buf_str(&r->text));
}

static bool alike(const struct look *a, const struct look *b)
{
	if (a->dsn[0] || b->dsn[0])
		return strcmp(a->dsn, b->dsn) == 0;
	return strcmp(a->words, b->words) == 0;
}

/* The end of data has a queue id in its words, so it only must not look like the reply to a recipient. */
static bool looks_right(const struct transfer *t, enum command c, const struct look *now)
{
	if (c == CMD_EOD && !now->dsn[0])
		return !t->looks[CMD_RCPT].known || !alike(&t->looks[CMD_RCPT], now);
	return c == CMD_RSET || !t->looks[c].known || alike(&t->looks[c], now);
}

static int compare(struct transfer *t, const struct awaited *w)
{
	struct look now;

	if (!w->tx || !reply_ok(&t->a->reply) || t->a->reply.code == 251)
		return 0;
	look_of(&t->a->reply, &now);
	if (!w->tx->whole)
		t->looks[w->command] = now;
	else if (!looks_right(t, w->command, &now))
		return out_of_step(t, "lost count of its replies: it said");
	return 0;
}

static int take_one(struct transfer *t)
{
	struct awaited *head = awaited_head(t), w;

	if (t->a->reply.code == 421 || (!head && t->a->reply.code / 100 == 4))
		return closed(t, head);
	if (t->a->reply.code == 221)
		return left(t);
	if (!head)
		return out_of_step(t, "answered a command that was never sent");
	w = *head;
	if (compare(t, &w) < 0)
		return -1;
	if (takers[w.command](t, &w) < 0)
		return -1;
	awaited_pop(t);
	if (w.tx)
		transaction_conclude(t, w.tx);
	return 0;
}

int answer_take(struct transfer *t)
{
	struct agent *a = t->a;

	for (;;) {
		int rc = agent_take_reply(a);

		if (rc == 0)
			return 0;
		if (rc < 0) {
			revoke(t);
			return agent_down(a, REASON_SMTP_PROTOCOL, "host %s sent %s while %s", agent_peer(a),
					  a->reply.wrong, awaited_words(t));
		}
		if (take_one(t) < 0)
			return -1;
	}
}

/* ---- the other ways in which a session ends */

/* Closed by the relay while nothing was asked, or when the first command after a pause was: no more than an idle
 * time-out. Or behind its last refusal: what was still asked, DATA, was for nobody. */
static bool closed_idle(const struct transfer *t)
{
	const struct awaited *w = t->count ? &t->queue[t->head] : NULL;

	if (!t->ntx && !t->count)
		return true;
	if (w && w->command == CMD_DATA && !w->tx->accepted && t->ntx == 1)
		return true;
	return t->served && w && (w->command == CMD_RSET || (w->command == CMD_MAIL && !w->tx->whole)) &&
	       w->tx == t->first;
}

int answer_lost(struct transfer *t)
{
	bool trial = t->window.proof == PROOF_ASKED;

	if (trial || (!closed_idle(t) && t->ntx > 1))
		revoke(t);
	if (trial || closed_idle(t))
		return leave(t);
	return agent_lost(t->a, awaited_words(t));
}

int answer_late(struct transfer *t)
{
	bool trial = t->window.proof == PROOF_ASKED;

	revoke(t);
	if (trial)
		return leave(t);
	return agent_down(t->a, REASON_CONNECTION_TIMEOUT, "conversation with %s timed out while %s", agent_peer(t->a),
			  awaited_words(t));
}
