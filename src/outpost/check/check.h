/* check.h: the halves of `outpost check`. */
#ifndef OUTPOST_CHECK_H
#define OUTPOST_CHECK_H

#include "outpost/check/check_report.h"
#include "outpost/command.h"

enum { CHECK_RELAYS = 16 };

/* Before rights are given up: main.cf, modes that root can fix, the queue directory, the set-id helper. False: without
 * this nothing else can be looked at. */
bool check_as_root(struct context *c, struct report *r);

/* As the queue's owner: what main.cf says, the relays, the password map, the origin, the queue. The relays go into out;
 * returns how many can be tried live. */
size_t check_configuration(struct context *c, struct report *r, struct relayhost *out, size_t max);

struct check_live {
	const char *sender;	/* what MAIL is tried with; "" for none */
	bool guessed;		/* nobody named it: a refusal is worth a warning */
	bool transcript;
};

/* One relay, step by step. True when it would take our mail. */
bool check_live(struct context *c, struct report *r, const struct relayhost *relay, const struct check_live *how);

/* Where root's mail would go, through aliases and maps. As the queue's owner. */
struct check_root {
	bool aliased;		/* an alias, or another map, says where it goes */
	bool lost;		/* to names alone that nobody answers to */
	char to[600];		/* the addresses in the end */
	char text[700];		/* what is wrong where it is lost */
	char hint[400];		/* the line that gives it to a person, and where that line belongs */
	char note[300];		/* what aliases say in vain; "" nothing */
};
/* -1: a map can't be read. */
int check_root(struct context *c, struct check_root *root, struct error *err);

/* A domain that no other host can answer to. */
bool check_is_local_name(const char *domain);

#endif
