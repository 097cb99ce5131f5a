/* admin.h: questions and orders. */
#ifndef OUTPOSTD_ADMIN_H
#define OUTPOSTD_ADMIN_H

#include "outpostd/parts.h"

/* ---- questions.c: questions and orders at the door and at the administrator's socket. Each verb is a table entry. */

struct question {
	const struct verb *verb;
	unsigned awaits;		/* the look at incoming/ that is to be over first; 0: none */
	deadline patience;		/* but no longer than this */
	bool json, count, head, all;	/* mailq; all: may see all users' */
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
	/* Answers what can be answered at once. True: more() goes on, false: it ended with an '=' line. */
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
extern const struct verb verb_status;
extern const struct verb verb_active;

/* False: the answer is complete. */
bool question_begin(struct client *c, char **words, int n);
bool question_more(struct client *c);	/* appends to c->out */
/* more() waits until the files that are in incoming/ now are taken in, so that totals are true. */
void question_awaits_incoming(struct client *c);
void questions_tick(struct outpostd *d);	/* goes on with those that have waited */
bool question_is(const struct client *c, const struct verb *verb);
void question_end(struct client *c);
/* Ends a question at once; returns false for begin and more. */
bool question_ends(struct client *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Whether a parameter (authorized_..._users) names the client. -1: it cannot be known now. */
int client_allowed(struct client *c, enum conf_param p);

/* ---- flush.c: everything that is queued is tried now; progress is reported to all who asked. */

struct flush {
	bool on;
	bool all;		/* relays that refused the credential are tried as well */
	deadline since;		/* mono ms */
	deadline fresh;		/* until then the counts are those of the first one to come */
	uint64_t total, done, sent, deferred, failed;
	uint64_t reported_done;	/* at the last report of progress, */
	deadline report_at;	/* and when the next may be */
};

void flush_expect(struct outpostd *d);	/* once, at the beginning */
/* Relays that are down are tried as well; those that refused the credential only with `all`. */
void flush_start(struct outpostd *d, bool all);
void flush_check(struct outpostd *d);	/* once per turn */
void flush_note_mail(struct outpostd *d);	/* a message came */
void flush_count(struct outpostd *d, unsigned outcome);	/* a claim is over, with these outcomes (struct claim) */
/* A relay went down in a session that began (mono ms) before an administrator fixed something and asked for a
 * flush: that was not the attempt they asked for. */
void flush_retry_relay(struct outpostd *d, struct relay *r, int64_t since);

#endif
