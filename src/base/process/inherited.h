/*
 * inherited.h: what a process has from the one that started it, and how it is undone.
 *
 * A flusher works for everybody, but may be started on behalf of one user (by outpost-drop, or by root's commands from
 * a user's shell), and a set-id program is started by users only. All of this survives fork and exec, set-id too:
 *
 *   timer slack, also a huge one             inherited_reset: 50 us; poll's time-outs would not fire
 *   nice, chrt, ionice                       inherited_reset, as far as rights allow (to lower a nice value, or to
 *                                            leave the policy idle, takes root); inherited_is_slow: what is left
 *   CPU affinity, memory policy              inherited_reset: every CPU and node
 *   oom_score_adj                            inherited_reset: 0, once the ids are wholly our own
 *   soft limits                              inherited_reset: raised to the hard ones; root raises these too
 *   hard limits                              inherited_limit names one that is too low for a flusher: none is started
 *   control group that the caller may freeze inherited_cgroup finds its owner: no flusher is started in it
 *   personality, PR_SET_TSC, subreaper       inherited_reset: the defaults
 *   parent-death signal                      inherited_reset: none (an exec that changes ids clears it anyway)
 *   umask, SIGCHLD, SIGPIPE, SIGXFSZ         proc_settle
 *   signal mask, dispositions, descriptors   proc_start, in the child
 *   dumpable                                 proc_hide: neither core files nor ptrace
 *   no_new_privs, nosuid, a user namespace   set-id rights do not take hold, and outpost-drop says so (rights.c)
 *   seccomp filters, Landlock                need no_new_privs, or root: as above
 *   securebits                               need CAP_SETPCAP; outpost never keeps capabilities over a change of ids
 *   limits of core, memlock, msgqueue, rss,  nothing of outpost's depends on them
 *   sigpending, nice, rtprio, rttime
 */
#ifndef BASE_INHERITED_H
#define BASE_INHERITED_H

#include <stdbool.h>
#include <sys/types.h>

/* Undoes the above as far as the rights of now allow; what is refused stays. May be called again with other rights. */
void inherited_reset(void);

/* The name of a hard limit under which a flusher would settle some messages and then fail after sending; NULL: none. */
const char *inherited_limit(void);

/* Whether so low a priority is left (nice above 10, the policy idle) that the caller's other work could keep a flusher
 * from ever running. */
bool inherited_is_slow(void);

/* Whether a control group that this process is in, or one above it, belongs to a user other than root and the
 * effective one, who could freeze or starve what runs there while it holds the queue. *owner is then this user. */
bool inherited_cgroup(uid_t *owner);

#endif
