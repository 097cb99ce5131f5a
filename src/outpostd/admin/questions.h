/* questions.h: a question while it is being answered. Each verb is a table entry. */
#ifndef OUTPOSTD_ASK_H
#define OUTPOSTD_ASK_H

#include "outpostd/outpostd.h"

struct question {
	const struct verb *verb;
	bool json, count, head, all;	/* mailq; all: may see everybody's */
	int64_t key;
	char pick;			/* wake: 'I' id, 'R' recipient, 'S' sender holds text; 0: everything */
	bool not;
	char *text;
	uint64_t picked;
	struct queue_row rest;		/* mailq: a message whose recipients go on; none: no id */
};

struct verb {
	const char *name;
	bool admin;			/* at the administrator's socket only */
	int min_args, max_args;
	/* Says what can be said at once. True: more() goes on, false: it ended with an '=' line. */
	bool (*begin)(struct client *c, char **args, int n);
	bool (*more)(struct client *c);	/* appends to c->out what is there; false after the '=' line */
};

extern const struct verb verb_mailq;
extern const struct verb verb_wake;
extern const struct verb verb_flush;
extern const struct verb verb_hold;
extern const struct verb verb_release;
extern const struct verb verb_retry;
extern const struct verb verb_delete;
extern const struct verb verb_reload;
extern const struct verb verb_status;
extern const struct verb verb_active;

/* Ends a question at once; returns false for begin and more. */
bool ask_ends(struct client *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
