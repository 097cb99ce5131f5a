/* this_host.h: the machine: clock, configuration, service manager, users, disk, when to end. */
#ifndef OUTPOSTD_THIS_HOST_H
#define OUTPOSTD_THIS_HOST_H

#include "outpostd/parts.h"

/* ---- clock.c: a wall clock that is stepped. Times in the queue are wall times. A machine that boots in 1970 and
 * learns the time later has not waited for fifty years: the queue's times follow the step. */

struct clock {
	int64_t offset;		/* ms of the wall clock from CLOCK_BOOTTIME, */
	bool known;		/* once it was measured */
	deadline report_again;	/* when a failure to follow a step may be logged again */
};

void clock_check(struct outpostd *d);
/* Corrects times that were stored under a wrong clock, which was set right while outpostd did not run. */
void clock_correct_queue(struct outpostd *d);
/* The time of the queue: the wall clock, but before a step that the queue has not followed yet. */
int64_t clock_us(const struct outpostd *d);
/* Whether a time can be true: a clock that does not know the year shows one long ago. */
bool clock_knows(int64_t time);
bool clock_stepped(const struct outpostd *d);	/* it waits for claims to end: hand out nothing more */

/* ---- reload.c: main.cf and the maps are read again on SIGHUP, and when they have changed, before a submission, a
 * flush or a probe. */

struct reload {
	bool asked;		/* SIGHUP */
	bool again;		/* a check was put off */
	int64_t checked;	/* mono ms: the last one */
	bool log_on_stderr;
	struct error error;	/* of the last reload; REASON_NONE: none */
};

int reload_first(struct outpostd *d, struct error *err);
void reload_ask(struct outpostd *d);		/* in this turn of the loop */
void reload_if_changed(struct outpostd *d);
/* A check that was put off; others while an administrator has something to fix. */
deadline reload_deadline(struct outpostd *d);
void reload_tick(struct outpostd *d);
const struct error *reload_error(const struct outpostd *d);	/* why the configuration stays as it was, or NULL */
/* maillog_file; without it, or when it cannot be opened, syslog, or standard error in the foreground. */
void reload_log(struct outpostd *d);
/* As root: whether it is to be opened while we are root. */
bool reload_log_is_roots(const struct outpostd *d);

/* ---- user_lookup.c: who a uid is, and which groups parameters name. The user database may be on another machine,
 * slow, or silent for ever: a process of its own asks it, for which outpostd waits a moment and no longer, before a
 * transaction begins, never within one, and not again for a minute. */

enum { USERS_KEPT = 64, GROUPS_KEPT = 16, USER_GROUPS = 256 };
struct user {
	uid_t uid;
	bool known;
	bool failed;		/* it cannot be known now: the user database does not answer */
	char name[256];		/* "#uid" where it is not known */
	deadline until;
};
struct named_group {
	char name[256];
	gid_t gid;
	bool known, failed;
	deadline until;
};
struct users {
	struct user list[USERS_KEPT];
	size_t n, next;
	struct named_group groups[GROUPS_KEPT];
	size_t next_group;
	deadline silent;
};

void user_of(struct outpostd *d, uid_t uid, struct user *out);
/* Whether a parameter (authorized_..._users) names this user: conf_names_user, with the same caution. */
int user_named(struct outpostd *d, enum conf_param p, const struct user *who, const gid_t *groups, size_t ngroups);
/* The same where no process of the user's is known, whose groups would count: those of the user database do. */
int user_allowed(struct outpostd *d, enum conf_param p, const struct user *who);

/* ---- list_reader.c: the texts of :include: lists, which users keep where they like. A process of its own reads
 * each (base/trust.h says what it opens), so that a file system that does not answer holds up nothing but the
 * submissions to that list. A text serves those that asked before its reading began, and is forgotten after some
 * seconds. */

enum { LISTS_KEPT = 128 };
struct lists {
	struct list_file *files[LISTS_KEPT];
	size_t n;
	unsigned reads;		/* begun so far */
	unsigned since;		/* of whoever asks */
	bool awaited;		/* and was told to wait */
};

/* How many readings have begun: whoever asks now is served by later ones. */
unsigned lists_now(const struct outpostd *d);
/* Before a rewriting that uses lists_include: only readings after this one count. */
void lists_ask(struct outpostd *d, unsigned since);
/* Whether that rewriting failed only because a list is being read. submissions_lists_read and incoming_lists_read are
 * called when it is. */
bool lists_awaited(const struct outpostd *d);
/* The include of struct rewrite_rules; arg is the outpostd. */
int lists_include(void *arg, const char *path, bool everybodys, struct buf *text, struct error *err);
deadline lists_deadline(const struct outpostd *d);
void lists_tick(struct outpostd *d);
void lists_free(struct outpostd *d);

/* ---- service_manager.c: sockets that the service manager passes, readiness, watchdog. Without a service manager
 * all of it does nothing. */

struct watchdog {
	deadline next;		/* 0: not known yet */
	int64_t interval_ms;
};

/* The n-th socket, from 0, that was passed under this name, or -1. */
int service_manager_socket(const char *name, int n);
void service_manager_notify(const char *text);
deadline watchdog_deadline(struct outpostd *d);
void watchdog_tick(struct outpostd *d);

/* ---- disk_reserve.c: a little of the disk kept back for verdicts. Storing that a message was sent takes space for
 * a moment, even though it frees more; on a full disk it would fail after the relay has the message, and the
 * message would be sent twice. So a file of some size stands by, is removed when a commit of verdicts fails, and
 * until there is room for it again nothing is accepted. */

struct reserve {
	bool ready;
	deadline again;		/* when to try to make it again */
};

bool reserve_ready(struct outpostd *d);
bool reserve_use(struct outpostd *d);	/* frees it; false when there was nothing to free */

/* ---- housekeeping.c: what is done when nothing else is: history and failed messages end, and space is given back. */

struct housekeeping {
	deadline next;		/* 0: not known yet */
};

deadline housekeeping_deadline(struct outpostd *d);
void housekeeping_tick(struct outpostd *d);
/* There may be something to give back. */
void housekeeping_soon(struct outpostd *d);

/* ---- confine.c: what this process and its agents may write to: the queue, the door, the log, devices, tokens that
 * are refreshed. They may read and run what the file system lets them; agents give up more by themselves. Best
 * effort: where the kernel has no Landlock nothing changes. */

void confine(struct outpostd *d);

/* ---- shutdown.c: when outpostd ends. A flusher that was started for one errand ends when it has had nothing to do
 * for a moment; one whose door the service manager keeps, when nothing is queued for a long time (idle_time). */

struct shutdown {
	bool begun;
	deadline by;		/* at the latest, whatever is under way */
	int64_t active;		/* mono ms: when something last happened */
	deadline idle_until;	/* 0: there is something to do */
	bool run_done;		/* the errand of --once is done */
	bool closed;		/* past the last look at the queue: no queue run begins any more */
	bool unsent;		/* mail was accepted after that, which nobody has sent */
};

void shutdown_begin(struct outpostd *d, int64_t within_ms);	/* the first call counts */
void shutdown_postpone(struct outpostd *d);	/* something happened */
void shutdown_note_run(struct outpostd *d);	/* a queue run is done */
void shutdown_note_mail(struct outpostd *d);	/* mail was accepted */
bool shutdown_due(struct outpostd *d);
deadline shutdown_deadline(const struct outpostd *d);

/* Ends everything: the names go first, then clients that are connected are served, then the lock is freed. True:
 * this process has to start once more, since mail came that nobody would send. */
bool shutdown_complete(struct outpostd *d);

#endif
