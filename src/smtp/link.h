/*
 * link.h: the agent's side of descriptor 3: frames to and from outpostd, and the inbox of messages.
 * Nothing here waits; agent.h does.
 */
#ifndef SMTP_LINK_H
#define SMTP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "delivery/delivery.h"

/* What has become of one recipient, as far as this message goes. */
enum rcpt_state { RCPT_TODO, RCPT_TRYING, RCPT_ACCEPTED, RCPT_SETTLED };

struct message {
	struct message *next;
	struct delivery_message m;
	bool listed;		/* the last START came */
	bool large;		/* its body comes only when asked for */
	bool asked;		/* GET was said, and the end of that body has not come */
	struct buf body;	/* canonical form; of a large one, what has not been taken yet */
	bool complete;		/* BODY_END came */
	bool failed;		/* BODY_FAILED came */
	char failure[300];
	unsigned char *state;	/* enum rcpt_state of each recipient */
	size_t todo;		/* recipients to be offered (again) */
	size_t open;		/* transactions under way */
	bool begun;		/* its first MAIL was sent */
	bool abandoned;		/* its body is no longer wanted: what still comes of it is thrown away */
	int64_t begun_us;
	int64_t ended_us;
};

struct link {
	int fd;
	struct buf in, out;
	struct message *first, *last;	/* the inbox, in order */
	bool eof;			/* outpostd is gone */
	bool quit;			/* QUIT came */
	bool have_session;
	struct delivery_session *session;	/* filled when SESSION comes */
	bool have_secret;		/* SECRET or NO_SECRET came */
	struct buf user, secret;	/* SECRET */
	char secret_kind;
	struct error no_secret;		/* NO_SECRET; REASON_NONE: there may be one */
	struct error broken;		/* a malformed frame */
};

void link_init(struct link *l, int fd, struct delivery_session *session);
void link_free(struct link *l);

/* Whether more may be read: false while a streamed body waits to be sent. */
bool link_hungry(const struct link *l);
/* Reads and files what is there. -1: outpostd is gone, or spoke nonsense (broken). */
int link_fill(struct link *l);
int link_flush(struct link *l);

/* Frames out: queued, sent by link_flush. */
void link_say(struct link *l, uint8_t type);
void link_seq(struct link *l, uint8_t type, uint64_t seq);
void link_log(struct link *l, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void link_step(struct link *l, const char *name, enum reason why, int64_t ms, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void link_get(struct link *l, struct message *m);

/* Sends DONE for messages at the front of the inbox that are finished, and drops them. */
void link_finish(struct link *l, int64_t *connect_us);
void link_wipe_secret(struct link *l);

#endif
