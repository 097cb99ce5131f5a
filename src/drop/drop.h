/*
 * drop.h: the parts of outpost-drop. Private to src/drop.
 *
 * What the caller of a set-id program controls, and where it is answered:
 *
 *   descriptors 0-2 closed, others open   main.c: opened on /dev/null; closed from 3 up
 *   environment                           main.c: cleared; nothing reads it
 *   working directory                     main.c: /
 *   umask                                 base/proc.h: 077
 *   argv, also without argv[0]            main.c: set-id, no option is known
 *   signal mask, dispositions, timers     main.c: all set; terminal signals ignored
 *   soft limits                           base/inherited.h: raised to the hard ones
 *   hard limits                           receive.c: each failure is an answer; start_flusher.c: no flusher under them
 *   timer slack, nice, scheduling policy, base/inherited.h: the defaults, as far as rights allow
 *   I/O priority, CPU affinity, memory
 *   policy, oom_score_adj, personality
 *   control group (freeze, limits, kill)  start_flusher.c: no flusher is born in one that a user controls
 *   real uid, groups                      rights.c: the effective ones become the real and saved ones; root's
 *                                         supplementary groups go (a user's cannot be given up without root's rights)
 *   no_new_privs, nosuid, user namespace  rights.c: the rights do not take hold, and the answer says so
 *   standard input: stall, garbage,       receive.c: seconds without a byte; a ceiling; the strict decoder; nothing is
 *   floods                                visible before its end
 *   size and number of submissions        receive.c: free space is kept for others; slot.c: so many for a person
 *   standard output: full or closed       main.c: the message is safe before the answer is written
 *   stop, freeze, kill                    receive.c: no lock that others need is ever held; an unlinked file vanishes
 *   core files, ptrace, /proc             rights.c: not dumpable
 *   how often a flusher is started        start_flusher.c: there is one per queue, and it leaves when idle
 */
#ifndef DROP_DROP_H
#define DROP_DROP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct drop {
	const char *queue_dir;
	const char *conf_dir;	/* NULL: the system's; of an own queue: no flusher is started */
	bool own;		/* a queue of the caller's own */
	uid_t caller;		/* the real uid by which we were started */
	char name[40];		/* of the file in incoming/ */
	bool queue_only;
	bool wake;		/* only a flusher is wanted */
};

/* slot.c: waits for one of the caller's slots, which is then kept until the process ends. Before rights_take. */
int slot_take(const struct drop *d, struct error *err);

/* rights.c: one of both, before anything is read. */
int rights_take(const char *queue_dir, struct error *err);	/* set-id: the effective ids wholly */
int rights_give_up(const char *queue_dir, struct error *err);	/* own queue: the real ids wholly */

/* receive.c: standard input into one file of incoming/, on disk when this returns 0. */
int receive(struct drop *d, struct error *err);

/* start_flusher.c: sees to it that somebody takes the file in. *said is filled when nobody will soon. */
void flusher_wake(const struct drop *d, char *said, size_t size);

/* start_flusher.c: starts one that leaves when nothing is left to do, and waits until it listens. 0: one is there. */
int flusher_start(const struct drop *d, struct error *err);

#endif
