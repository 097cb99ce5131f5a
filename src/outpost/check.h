/* check.h: the halves of `outpost check`. */
#ifndef OUTPOST_CHECK_H
#define OUTPOST_CHECK_H

#include "outpost/command.h"
#include "outpost/report.h"

enum { CHECK_RELAYS = 16 };

/* Before rights are given up: main.cf, modes that root can mend, the queue directory, the set-id helper. False: without
 * this nothing else can be looked at. */
bool check_as_root(struct context *c, struct report *r);

/* As the queue's owner: what main.cf says, the relays, the password map, the origin, the queue. The relays go into out;
 * returns how many can be tried live. */
size_t check_configuration(struct context *c, struct report *r, struct conf_relay *out, size_t max);

struct check_live {
	const char *sender;	/* what MAIL is tried with; "" for none */
	bool guessed;		/* nobody named it: a refusal is worth a warning */
	bool transcript;
};

/* One relay, step by step. True when it would take our mail. */
bool check_live(struct context *c, struct report *r, const struct conf_relay *relay, const struct check_live *how);

/* Whether root's mail would go to a name that nobody answers to; then why, in text. As the queue's owner. */
bool check_root_is_lost(struct context *c, char *text, size_t size);
#define CHECK_ROOT_MEND "echo 'root: you@example.com' >> /etc/aliases"

#endif
