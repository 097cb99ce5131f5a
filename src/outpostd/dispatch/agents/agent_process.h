/*
 * agent_process.h: delivery agents, each one connection to a relay. They are started when mail is due, given the
 * session, and then kept a window of messages ahead of their verdicts.
 */
#ifndef OUTPOSTD_AGENT_PROCESS_H
#define OUTPOSTD_AGENT_PROCESS_H

#include "outpostd/parts.h"

enum {
	AGENT_OUT_MAX = 8 << 20,	/* frames not yet taken by an agent */
	AGENT_FEED = 512 << 10,		/* no new message while more than this is unsent */
};

enum agent_state { AGENT_STARTING, AGENT_READY, AGENT_QUITTING, AGENT_OVER };
enum agent_result {
	RESULT_NONE,
	RESULT_DEFERRED,	/* 4xx for a message; whether that was meant for us shows how the session ends */
	RESULT_PROGRESS,	/* a message was taken, or refused for good */
};
struct agent {
	/* agent_process.c */
	struct watch watch;
	struct agent *next;
	struct outpostd *d;
	struct relay *relay;
	pid_t pid;
	enum agent_state state;
	struct buf in, out;
	uint64_t seq;
	struct claim *first, **last;	/* claims without DONE */
	size_t outstanding;
	unsigned used;			/* messages done over this connection */
	bool alive;			/* its names are looked up: from here on it gives signs of life */
	int64_t heard;			/* monotonic ms: when it last sent anything, or got something to do */
	/* it has been silent for too long: until then it may still explain itself; 0: it has not */
	deadline doubt;
	uint64_t reuse_limit;		/* messages; 0: any number */
	deadline reuse_until;
	deadline since, idle;
	char where[400];		/* "host[ip]:port"; "" before it was let in */
	/* session_end.c */
	enum agent_result result;
	/* agent_credential.c */
	bool secret;			/* out holds one: wipe it when it is empty */
	char kind;			/* of credential: 'P', 'T'; 0: none yet */
	char digest[72];		/* of the credential it was given */
	struct credential_question *question;	/* a program or endpoint is being asked for the credential */
	struct watch asking;
};
struct agents {
	struct agent *first;
	size_t window;			/* messages one may have ahead of its verdicts */
	int64_t idle_ms;
};

void agents_configure(struct outpostd *d);
int agent_start(struct outpostd *d, struct relay *r, struct error *err);
bool agent_has_room(const struct agent *a);
int agent_give(struct agent *a, struct claim *c);	/* the caller flushes */
void agent_flush(struct agent *a);
void agent_quit(struct agent *a);
void agents_tick(struct outpostd *d);
deadline agents_deadline(struct outpostd *d);
void agents_reap(struct outpostd *d);
void agents_stop(struct outpostd *d, bool now);
size_t agents_count(const struct outpostd *d);
/* Whether one is starting for r, or for any relay (NULL). */
bool agent_starts(const struct outpostd *d, const struct relay *r);

/* ---- for agent_frames.c and settle.c */
/* Takes the oldest claim without DONE from it; NULL: there is none. */
struct claim *agent_take_claim(struct agent *a);
/* It is let in, where `ready` says. */
void agent_let_in(struct agent *a, const struct delivery_ready *ready);
/* A message is done. */
void agent_served(struct agent *a);
/* It said its last. */
void agent_over(struct agent *a);

#endif
