/*
 * outpostd.h: the flusher: what its parts share, and the state of each. Private to src/outpostd.
 *
 * One thread, one poll loop. A turn of the loop reads what clients and agents have sent, then makes one transaction
 * of everything that waits for the disk (verdicts of agents, bounces that follow from them, submissions that are
 * complete), commits, answers, and then hands out what is due next. Nobody is read from while a transaction is
 * open.
 *
 *   intake/     submissions come in: door, clients, incoming/, SMTP on loopback
 *   dispatch/   messages go out: lanes, schedule, agents, verdicts, bounces, the commit
 *   relays/     which relays there are, whether one may be tried, how fast, over how many connections
 *   admin/      questions and orders
 *   host/       the machine: clock, configuration, service manager, users, disk, when to end
 *
 * A module is a .c, its section in a header, and the member of struct outpostd that has its state. All may read
 * that, but only its .c writes it: others call its functions (test_tree proves it).
 */
#ifndef OUTPOSTD_OUTPOSTD_H
#define OUTPOSTD_OUTPOSTD_H

#include <stdio.h>

#include "credentials/credentials.h"
#include "outpostd/admin/admin.h"
#include "outpostd/dispatch/dispatch.h"
#include "outpostd/host/this_host.h"
#include "outpostd/intake/intake.h"
#include "outpostd/log_lines.h"
#include "outpostd/loop.h"
#include "outpostd/parts.h"
#include "outpostd/relays/relays.h"
#include "rules/rules.h"

struct outpostd {
	/* main.c: how it was started, and what all share */
	const char *conf_dir;
	bool foreground, once, take_in;
	bool restarted;			/* by itself, in the same process */
	char queue_dir[1024];
	int lock;
	struct queue *queue;
	struct loop loop;
	struct watch signals;
	/* host/ */
	struct conf *conf;		/* reload.c */
	struct credentials *credentials;	/* reload.c: of conf */
	struct rules rules;		/* reload.c: of conf */
	struct reload reload;
	struct clock clock;
	struct reserve reserve;
	struct housekeeping housekeeping;
	struct watchdog watchdog;
	struct shutdown shutdown;
	struct users users;
	struct lists lists;
	/* intake/ */
	struct door door;
	struct clients clients;
	struct submissions submissions;
	struct person_shares shares;
	struct acceptance acceptance;
	struct fd_quarantine quarantine;
	struct incoming_dir incoming;
	struct corrupt_dir corrupt;
	struct listener listener;
	/* dispatch/ */
	struct lanes lanes;
	struct schedule schedule;
	struct claims claims;
	struct agents agents;
	struct settlement settlement;
	struct bounces bounces;
	struct expiry expiry;
	struct commit commit;
	struct journal journal;
	/* relays/ */
	struct relays relays;
	struct relay_states relay_states;
	/* admin/ */
	struct flush flush;
};

/* Gives the queue back: another process may have it. */
void outpostd_unlock(struct outpostd *d);

#endif
