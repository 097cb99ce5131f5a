/* health.h: the state of flusher, relays and queue in figures, for status, metrics and check. */
#ifndef OUTPOST_HEALTH_H
#define OUTPOST_HEALTH_H

#include "outpost/command.h"

enum { HEALTH_RELAYS = 16 };

struct health {
	bool running;			/* an outpostd answers */
	bool timer;			/* something would start one */
	bool by_sender;			/* the sender decides which relay, or which login */
	int64_t now;			/* us */
	struct queue_totals totals;
	uint64_t sent_day, failed_day, sent_ever, failed_ever;	/* recipients */
	struct queue_relay relays[HEALTH_RELAYS];
	size_t nrelays;
	size_t corrupt, incoming;	/* files */
	bool full;			/* the queue's disk: what comes in next may be refused */
	struct error no_route;		/* REASON_NONE, or why main.cf lets nothing be sent */
};

/* The queue's rows of the relays that mail may go by as main.cf stands: how many, or -1. */
int health_relays(struct context *c, struct queue *q, struct queue_relay out[HEALTH_RELAYS], struct error *err);

/* Whether a relay is down, and not to be tried before `after` (us). */
bool health_is_down(const struct queue_relay *r, int64_t after);
/* 1: nothing can be sent, since all relays of the route are down, or, where the sender decides, one of them; *which is
 * the first. */
int health_no_way(struct context *c, struct queue *q, int64_t after, struct queue_relay *which, struct error *err);

/* Becomes the queue's owner and reads all of it. */
int health_collect(struct context *c, struct health *s, struct error *err);

/* Entries of DIR/SUB that do not begin with a dot; 0 when it cannot be read. */
size_t health_count_files(const char *dir, const char *sub);

#endif
