/*
 * transaction.h: mail transactions under way, and the commands whose replies are awaited.
 *
 * The plan. A transaction is a list of steps: RSET (not before the connection's first), MAIL, RCPT for each recipient,
 * then DATA and the body, or BDAT with the body. Steps are written as far as they may be (transaction_feed); every
 * command written is remembered in a queue; each reply belongs to the command at the queue's head (answer_take). What
 * may be written when is the whole of it:
 *  - without PIPELINING, a command only when nothing is unanswered;
 *  - with it, all commands up to DATA at once; the body only when all of them are answered and there is somebody to
 *    get it; the next transaction's commands right behind the body, in the same write: one round trip per message;
 *  - with the window (window.h), whole transactions with their bodies.
 * So responsibility moves at one line: say_last_byte, where outpostd is told that from here a crash may deliver twice.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "mail/recode.h"
#include "mail/wire.h"
#include "smtp/agent.h"
#include "smtp/transaction/window.h"

/* The proof of the window: RSET, MAIL, a BDAT that is refused, RSET. */
enum { PROOF_BDAT = 2, PROOF_COMMANDS = 4 };

enum command { CMD_RSET, CMD_MAIL, CMD_RCPT, CMD_DATA, CMD_EOD, CMD_PROOF };

enum tx_step { TX_RSET, TX_MAIL, TX_RCPT, TX_DATA, TX_BODY, TX_STREAM, TX_WRITTEN };

struct tx {
	struct tx *next;
	struct message *msg;
	size_t *rcpt;		/* indices of its recipients in the message */
	size_t nrcpt, written;	/* RCPT commands written */
	enum tx_step step;
	bool whole;		/* in flight: nothing is waited for */
	bool chunk;		/* BDAT instead of DATA */
	unsigned unanswered;
	size_t accepted;	/* recipients */
	bool mail_refused, go;	/* go: 354 */
	bool lone_dot;		/* 354, but nobody to get it */
	bool last_byte;		/* it was written: from here on it may be delivered */
	bool body_open;		/* the body is being written: a reply now is too early */
	bool any_sent;		/* the end of data was answered 2xx for somebody */
	struct wire wire;
	struct recode *recode;	/* NULL: as it is */
	struct buf body;	/* a small message's wire form, made at its start */
	uint64_t taken;		/* canonical bytes of the body that were written */
	uint64_t body_start;	/* of a->ch.sent, when the body's present time-out began */
};

struct awaited {
	enum command command;
	struct tx *tx;		/* NULL: proof */
	size_t rcpt;		/* index in tx->rcpt; of a proof: which of its commands */
};

enum closing { OPEN, CLOSE_ORDERLY, CLOSE_DOWN };

/* How this relay says yes to a command: the enhanced status, or without one the words. A reply too many or too few
 * shifts all that follow by one; in flight, where nothing else would show it, the next MAIL's reply does not look like
 * one. */
struct look {
	bool known;
	char dsn[12];
	char words[160];
};

struct transfer {
	struct agent *a;
	struct window window;
	struct tx *first, *last;	/* under way, in order */
	struct tx *writing;		/* whose steps are being written */
	unsigned ntx;
	size_t in_flight;		/* wire bytes of whole transactions unanswered */
	struct awaited *queue;		/* a ring */
	size_t head, count, room;
	deadline since;			/* ms: when the head came to be waited for */
	bool used;			/* a MAIL was sent on this connection: RSET before the next */
	/* a transaction was brought to its end on this connection, whatever came of it */
	bool concluded;
	bool served;			/* a message was accepted on this connection */
	struct delivery_known known;	/* of this relay */
	bool refused;			/* 421 answered the command at the queue's head */
	enum closing closing;		/* CLOSE_DOWN: a->down says why; what is in flight is still answered */
	struct look looks[CMD_PROOF];
	struct buf proof_mail;		/* a MAIL line that the relay is known to accept */
};

/* Writes what may be written. 0, or -1 with a->down. */
int transaction_feed(struct transfer *t);
/* Forgets all that is under way; recipients without a verdict are to be offered again. */
void transaction_free_all(struct transfer *t);
/* Drops x once it is wholly written and answered, and counts what came of it. */
void transaction_conclude(struct transfer *t, struct tx *x);

struct awaited *awaited_head(struct transfer *t);
void awaited_pop(struct transfer *t);
/* Words for what a lost connection interrupted: "sending RCPT TO". */
const char *awaited_words(const struct transfer *t);
const char *awaited_command(const struct transfer *t);	/* "RCPT TO command" */
int awaited_seconds(const struct transfer *t);

/* Takes every whole reply. 0; -1: the session is over (a->down, or t->closing says that it ended in order). */
int answer_take(struct transfer *t);
/* The relay's side ended; a deadline came. -1 as above. */
int answer_lost(struct transfer *t);
int answer_late(struct transfer *t);
/* Tells outpostd what is now known of this relay. */
void say_known(struct transfer *t);
void settle_recipient(struct transfer *t, struct message *m, size_t i, const struct delivery_verdict *v);
/* A verdict for every recipient of x that has none. */
void settle_all(struct transfer *t, struct tx *x, const struct delivery_verdict *v);
/* A message that can't go at all. */
void settle_message(struct transfer *t, struct message *m, const struct delivery_verdict *v);
/* The session broke: verdicts for those whose fate is in doubt, and for the one being spoken of. */
void settle_broken(struct transfer *t);

#endif
