/*
 * main.c: a flusher's life: read the configuration, become the queue's owner, lock, prove that the queue takes
 * commits, open the doors, give up what is not needed, and turn the loop until there is a reason to end.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files/trust.h"
#include "base/io.h"
#include "base/log.h"
#include "base/process/inherited.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "control/control.h"

enum { LOCK_WAIT_MS = 20 * 1000, RESTART_WAIT_MS = 1000, STOP_MS = 5 * 1000, LOOK_MS = 20 };

static const char usage[] = "usage: outpostd [-f] [--once | --take-in] [-C DIR]\n";

static int options(struct outpostd *d, int argc, char **argv)
{
	static const struct option longs[] = {
		{"once", no_argument, NULL, 'o'},
		{"take-in", no_argument, NULL, 't'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'H'},
		{"keep-descriptors", no_argument, NULL, 'k'}, /* for fd_quarantine.c alone */
		{NULL, 0, NULL, 0},
	};
	const char *env = getenv("MAIL_CONFIG");
	int c;

	d->conf_dir = env && *env && geteuid() == getuid() ? env : SYSCONFDIR;
	while ((c = getopt_long(argc, argv, "C:fV", longs, NULL)) != -1) {
		switch (c) {
		case 'C':
			d->conf_dir = optarg;
			break;
		case 'f':
			d->foreground = true;
			break;
		case 'o':
			d->once = true;
			break;
		case 't':
			d->take_in = true;
			break;
		case 'k':
			exit(quarantine_keep());
		case 'V':
			printf("outpostd %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		case 'H':
			fputs(usage, stdout);
			exit(EX_OK);
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

/* We go to /, and a configuration is read again later. */
static void make_absolute(struct outpostd *d)
{
	static char path[PATH_MAX];

	if (realpath(d->conf_dir, path))
		d->conf_dir = path;
}

static bool is_served(const struct outpostd *d)
{
	char path[1100];

	return door_admin_path(d->queue_dir, path, sizeof(path)) && sock_answers(path, LOOK_MS);
}

/* For an errand. A process that has the queue and serves clients looks after what we came for. One that does not is
 * starting or ending, or took in what lay in incoming/ for a command that looks at the queue: it may be past
 * looking, and then nobody would send it. */
static int lock_unless_served(struct outpostd *d, struct error *err)
{
	deadline until = deadline_in_ms(STOP_MS);
	int lock;

	while ((lock = queue_lock(d->queue_dir, LOOK_MS, err)) < 0 && error_exit(err) == EX_TEMPFAIL &&
	       !is_served(d) && !deadline_over(until))
		;
	return lock;
}

/* The queue, ours alone. The process that had it before is waited for; after a restart, the agents that were just
 * killed. */
static int open_queue(struct outpostd *d, struct error *err)
{
	if (d->once && !d->restarted)
		d->lock = lock_unless_served(d, err);
	else
		d->lock = queue_lock(d->queue_dir, d->restarted ? RESTART_WAIT_MS : d->take_in ? 0 : LOCK_WAIT_MS, err);
	if (d->lock < 0)
		return -1;
	if (queue_open(d->queue_dir, QUEUE_WRITE | QUEUE_CREATE, &d->queue, err) == 0)
		return 0;
	/* The disk may be full: the reserve is for this. */
	return reserve_use(d) ? queue_open(d->queue_dir, QUEUE_WRITE | QUEUE_CREATE, &d->queue, err) : -1;
}

static void on_signal(void *arg, short revents)
{
	struct outpostd *d = arg;
	struct signalfd_siginfo s;

	(void)revents;
	while (read(d->signals.fd, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGCHLD) {
			agents_reap(d);
		} else if (s.ssi_signo == SIGHUP) {
			reload_ask(d);
			if (log_reopen() < 0)
				log_line(LOG_WARN, "outpostd", 0,
					 "cannot open maillog_file again, going on with the old one: %s",
					 strerror(errno));
		} else if (!d->shutdown.begun) {
			log_line(LOG_INFORMATION, "outpostd", 0, "stopping on signal %u", s.ssi_signo);
			shutdown_begin(d, STOP_MS);
		}
	}
}

/* SIGHUP asks for a configuration to be read again, and may come before there is one: it waits until it can be
 * handled. */
static void hold_hangups(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int watch_signals(struct outpostd *d, struct error *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_sys(err, REASON_SYSTEM, "signals");
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return error_sys(err, REASON_SYSTEM, "signalfd");
	d->signals = (struct watch){.fd = fd, .events = POLLIN, .ready = on_signal, .arg = d};
	if (loop_add(&d->loop, &d->signals) == 0)
		return 0;
	return error_set(err, REASON_SYSTEM, "out of memory");
}

/* A queue of a user's own is made on first use, as outpost-drop does; the system's is made at installation. */
static void make_own_queue(const struct outpostd *d)
{
	if (strcmp(d->conf_dir, SYSCONFDIR) != 0 && io_make_dir(d->queue_dir) < 0)
		log_line(LOG_WARN, "outpostd", 0, "cannot make %s: %s", d->queue_dir, strerror(errno));
}

/* The directory of the door, where no tmpfiles.d makes it at boot; only root can. */
static void make_run_directory(const struct outpostd *d)
{
	struct stat st;

	if (geteuid() != 0 || strcmp(d->conf_dir, SYSCONFDIR) != 0 || stat(d->queue_dir, &st) < 0 ||
	    mkdir(RUNDIR, 0700) < 0)
		return;
	if (chmod(RUNDIR, 0755) < 0 || chown(RUNDIR, st.st_uid, st.st_gid) < 0)
		log_line(LOG_WARN, "outpostd", 0, "%s: %s", RUNDIR, strerror(errno));
}

static int start(struct outpostd *d, struct error *err)
{
	char path[PATH_MAX];
	bool early;
	int n;

	if (snprintf(path, sizeof(path), "%s/main.cf", d->conf_dir) >= (int)sizeof(path))
		return error_set(err, REASON_CONFIG, "the name of the configuration directory is too long");
	if (trust_become(path, err) < 0 || conf_load(d->conf_dir, &d->conf, err) < 0)
		return -1;
	d->credentials = credentials_new(d->conf);
	if (!d->credentials)
		return error_set(err, REASON_SYSTEM, "out of memory");
	n = snprintf(d->queue_dir, sizeof(d->queue_dir), "%s", conf_str(d->conf, P_queue_directory));
	if (n >= (int)sizeof(d->queue_dir))
		return error_set(err, REASON_CONFIG, "queue_directory is too long");
	early = reload_log_is_roots(d);
	if (early)
		reload_log(d); /* while we may */
	make_own_queue(d);
	make_run_directory(d);
	listener_bind(d);
	if (trust_become_owner(d->queue_dir, NULL, err) < 0 || conf_check_writer(d->conf, err) < 0)
		return -1;
	if (!early)
		reload_log(d); /* not with more rights than those have who control its path */
	/* Signals are held back after the queue is ours: while it waits for the last agent of another, this process
	 * can be stopped at once. */
	if (open_queue(d, err) < 0 || watch_signals(d, err) < 0)
		return -1;
	proc_hide();
	journal_open(d);
	if (reload_first(d, err) < 0 || door_open(d, err) < 0)
		return -1;
	if (incoming_open(d) < 0)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot use %s/incoming", d->queue_dir);
	listener_open(d);
	confine(d);
	clock_check(d);
	clock_correct_queue(d);
	schedule_reset(d);
	flush_expect(d);
	shutdown_postpone(d);
	return 0;
}

/* ---- the loop */

static int timeout(struct outpostd *d, bool more)
{
	deadline first = more ? clock_mono_ms() : DEADLINE_NEVER;

	first = deadline_first(first, door_deadline(d));
	first = deadline_first(first, incoming_deadline(d));
	first = deadline_first(first, commit_deadline(d));
	first = deadline_first(first, lists_deadline(d));
	first = deadline_first(first, agents_deadline(d));
	first = deadline_first(first, relays_deadline(d));
	first = deadline_first(first, schedule_deadline(d));
	first = deadline_first(first, watchdog_deadline(d));
	first = deadline_first(first, housekeeping_deadline(d));
	first = deadline_first(first, reload_deadline(d));
	first = deadline_first(first, shutdown_deadline(d));
	return deadline_poll(first);
}

static void turn(struct outpostd *d)
{
	clock_check(d);
	door_tick(d);
	lists_tick(d);
	incoming_tick(d);
	questions_tick(d);
	reload_tick(d);
	/* Agents first: they work on while the disk does. What the commit brings is handed out after it. */
	schedule_work(d);
	commit_turn(d);
	housekeeping_tick(d);
	watchdog_tick(d);
}

static int run(struct outpostd *d, struct error *err)
{
	bool more = false;

	while (!shutdown_due(d)) {
		if (loop_turn(&d->loop, timeout(d, more)) < 0)
			return error_sys(err, REASON_SYSTEM, "poll");
		turn(d);
		more = schedule_work(d);
		agents_tick(d);
		flush_check(d);
	}
	return 0;
}

void outpostd_unlock(struct outpostd *d)
{
	queue_close(d->queue);
	d->queue = NULL;
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}

static void free_all(struct outpostd *d)
{
	relays_free(d);
	lanes_free(d);
	claims_free(d);
	settle_free(d);
	bounces_free(d);
	accept_free(d);
	lists_free(d);
	person_shares_free(d);
	rules_close(&d->rules);
	credentials_free(d->credentials);
	conf_free(d->conf);
	loop_free(&d->loop);
}

/* In the background: the caller's process ends when the door is open, or with our error. */
static int detach(int *report)
{
	int fds[2];
	char status;
	pid_t pid;

	*report = -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		close(fds[1]);
		_exit(io_read(fds[0], &status, 1) == 1 ? status : EX_SOFTWARE);
	}
	close(fds[0]);
	setsid();
	if (chdir("/") < 0)
		return -1;
	*report = fds[1];
	return 0;
}

static void attached(int *report, int code)
{
	char status = (char)code;
	int null;

	if (*report < 0)
		return;
	io_write_all(*report, &status, 1, DEADLINE_NEVER);
	close(*report);
	*report = -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* Failures that pass, and after which the service manager tries again. After others it closes the door
 * (outpost.service), and the drop takes the mail. */
static bool may_pass(const struct error *e)
{
	return error_exit(e) == EX_TEMPFAIL || error_exit(e) == EX_IOERR || error_exit(e) == EX_OSERR;
}

static int cannot_start(struct outpostd *d, int *report, const struct error *err)
{
	/* and may well do the errand */
	bool busy = (d->once || d->take_in) && d->lock < 0 && error_exit(err) == EX_TEMPFAIL;

	log_line(busy ? LOG_INFORMATION : LOG_FAIL, "outpostd", 0, "%s", err->text);
	if (!d->reload.log_on_stderr)
		fprintf(stderr, "outpostd: %s\n", err->text);
	attached(report, error_exit(err));
	/* Clients that wait for the queue are not turned away by a process that could not have it. */
	if (d->lock >= 0 && may_pass(err))
		door_turn_away(d, err);
	outpostd_unlock(d);
	free_all(d);
	if (err->reason == REASON_FLUSHER_BUSY && d->foreground && (d->once || d->take_in))
		return CONTROL_EXIT_BUSY;
	return error_exit(err);
}

/* From the configuration to the end; *again: once more. */
static int serve(struct outpostd *d, int *report, bool *again)
{
	struct error err = {0};

	*again = false;
	if (start(d, &err) < 0)
		return cannot_start(d, report, &err);
	attached(report, EX_OK);
	service_manager_notify("READY=1");
	log_line(LOG_INFORMATION, "outpostd", 0, "version %s, queue %s", PACKAGE_VERSION, d->queue_dir);
	if (d->take_in) {
		incoming_take(d); /* for a command that looks at the queue, or edits it: nothing is sent */
	} else if (run(d, &err) < 0) {
		log_line(LOG_FAIL, "outpostd", 0, "%s", err.text);
		return error_exit(&err);
	}
	*again = shutdown_complete(d);
	close(d->signals.fd);
	free_all(d);
	return d->commit.displaced ? EX_TEMPFAIL : EX_OK;
}

int main(int argc, char **argv)
{
	struct outpostd d = {.lock = -1};
	int report = -1, rc;
	bool again;

	if (io_standard_fds() < 0 || options(&d, argc, argv) < 0) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	proc_settle();
	hold_hangups();
	if (!d.foreground || d.once || d.take_in)
		inherited_reset(); /* started by a user's command; what a service manager sets stays */
	make_absolute(&d);
	if (!d.foreground && detach(&report) < 0) {
		fprintf(stderr, "outpostd: cannot go into the background: %s\n", strerror(errno));
		return EX_OSERR;
	}
	while (rc = serve(&d, &report, &again), again)
		d = (struct outpostd){.lock = -1, .conf_dir = d.conf_dir, .foreground = d.foreground,
				      .once = true, .restarted = true};
	log_line(LOG_INFORMATION, "outpostd", 0, "done");
	return rc;
}
