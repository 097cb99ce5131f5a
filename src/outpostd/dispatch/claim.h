/* claim.h: messages that are under way. They are in memory alone: after a crash there is nothing to clean up. */
#ifndef OUTPOSTD_CLAIM_H
#define OUTPOSTD_CLAIM_H

#include "outpostd/parts.h"

enum { CLAIM_RECIPIENTS = 1000 };	/* of one message, at a time */

enum claim_state {
	CLAIM_EXAMINED,		/* nobody is to send it: only its age counts (expiry.c) */
	CLAIM_GIVEN,		/* to an agent, which has not begun it */
	CLAIM_BEGUN,		/* some of it was sent */
	CLAIM_LAST_BYTE,	/* all of it may have been sent: the relay may have it */
	CLAIM_DONE,		/* the agent has nothing more to do with it */
};
enum { OUTCOME_SENT = 1, OUTCOME_DEFERRED = 2, OUTCOME_FAILED = 4 };

struct claim {
	struct claim *next;		/* in the order the agent got them */
	struct queue_message m;
	enum claim_state state;
	struct agent *agent;		/* NULL: it is over */
	uint64_t seq;
	int64_t claimed_us, begun_us;
	/* settle.c */
	size_t undecided, uncommitted;	/* recipients without verdict; verdicts without commit */
	size_t withheld;		/* of these: they wait for the others */
	unsigned char *decided;		/* a bit per recipient */
	unsigned outcome;		/* of its verdicts, for the progress of a flush */
	int64_t connect_us, transfer_us;
	/* inflight_journal.c */
	size_t slot;			/* plus one */
	/* agent_feed.c */
	bool streaming;
	uint64_t offset, size;		/* how much was sent; of the message as sent */
	struct buf header;
	char *sender;			/* rewritten */
};
struct claims {
	struct claim **list;
	size_t n, cap;
};

/* takes what m owns; NULL without memory */
struct claim *claim_new(struct outpostd *d, struct queue_message *m, enum claim_state state);
void claim_free(struct outpostd *d, struct claim *c);
bool claim_known(const struct outpostd *d, int64_t row);
size_t claims_count(const struct outpostd *d);
/* One line ">ID" for each. */
void claims_list(const struct outpostd *d, struct buf *out);
void claims_free(struct outpostd *d);

#endif
