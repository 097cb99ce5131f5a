/*
 * clients.h: connections to the door or to the administrator's socket. A client is read without blocking,
 * into memory and then into a file without a name, and only what the decoder calls complete goes near the queue.
 */
#ifndef OUTPOSTD_CLIENTS_H
#define OUTPOSTD_CLIENTS_H

#include "outpostd/parts.h"
#include "base/spill.h"
#include "outpostd/host/this_host.h"

enum client_kind { CLIENT_NEW, CLIENT_SUBMITS, CLIENT_ASKS };

struct client {
	/* clients.c */
	struct watch watch;
	struct client *next, *prev;	/* all that are served */
	struct outpostd *d;
	enum client_kind kind;
	bool admin;			/* connected to the administrator's socket */
	bool closing;			/* when all of `out` is sent */
	uid_t uid;
	gid_t gid;
	uid_t person;			/* whose the uid is */
	uint64_t room_at;		/* so many bytes later the free space is looked at */
	deadline stall, whole;
	int64_t heard;			/* monotonic ms of its last bytes */
	struct buf in, out;
	struct submission_decoder *decoder;
	struct spill body;
	struct user who;		/* of a submission */
	/* submissions.c */
	struct client *ready;		/* the next whose submission is complete */
	bool complete, put;		/* put: into the transaction of this turn */
	uint64_t offset;		/* of the body, while it is put into the queue */
	char id[QUEUE_ID];		/* what the commit will answer */
	struct error refusal;		/* REASON_NONE: none */
	/* questions.c */
	struct question *question;
};
struct clients {
	struct client *first;
	size_t n;
};

/* Serves fd; -1: out of memory, and fd is the caller's still. */
int client_new(struct outpostd *d, int fd, uid_t uid, gid_t gid, bool admin);
void client_flush(struct client *c);		/* sends what it can, closes when all is sent */
void client_close(struct client *c);
/* Ends it with an answer. */
void client_answer(struct client *c, enum reason reason, const char *text);
void client_refuse(struct client *c, const struct error *err);

size_t clients_of(const struct outpostd *d, uid_t person);	/* at the door */
/* Whether one that is still sending was heard of just now. */
bool clients_are_sending(const struct outpostd *d, int64_t now);
/* Calls `what` for each that waits for an answer to this verb; it may close the client. */
void clients_asking(struct outpostd *d, const struct verb *verb, void (*what)(struct client *c));
deadline clients_deadline(struct outpostd *d);
void clients_tick(struct outpostd *d);		/* closes those that are too slow */
void clients_close_all(struct outpostd *d);

#endif
