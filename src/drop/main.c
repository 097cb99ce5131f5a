/*
 * outpost-drop: takes one submission from standard input into the queue's incoming/, for when no daemon listens.
 *
 *   outpost-drop                        set-uid and set-gid: the system's queue
 *   outpost-drop wake                   the same rights: no submission; starts a flusher where none is
 *   outpost-drop -q QUEUEDIR [-C DIR]   a queue of the caller's own, with the caller's own rights
 *
 * The answer is one line on standard output (submission.h); the exit status is its code.
 */
#include "config.h"
#include "drop/drop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/process/inherited.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "submission/submission.h"

enum { WHOLE_S = 600, ANSWER_S = 30 };

/* Timers outlive an exec, and so do ignored and blocked signals. */
static void settle_signals(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ, SIGXCPU,
				      SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO};
	static const struct itimerval never;
	sigset_t none;

	setitimer(ITIMER_REAL, &never, NULL);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	setitimer(ITIMER_PROF, &never, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void settle(bool own_queue)
{
	if (io_standard_fds() < 0)
		_exit(EX_OSFILE);
	io_close_from(3);
	settle_signals();
	alarm(WHOLE_S);
	proc_settle();
	inherited_reset();
	if (!own_queue && chdir("/") < 0)
		_exit(EX_OSFILE);
#if !ENABLE_FAULT && !BUILT_WITH_ASAN
	clearenv();
#endif
}

/* A pipe that is full, or a terminal that is stopped, must not hold us for ever. */
static int answer(enum reason reason, const char *text)
{
	int code = reason_exit(reason);
	struct buf line;

	alarm(ANSWER_S);
	buf_init(&line, 1024);
	if (submission_put_answer(&line, reason, text) == 0 &&
	    io_write_all(STDOUT_FILENO, line.data, line.len, deadline_in_ms(ANSWER_S * 1000)) < 0 && code == 0)
		code = EX_IOERR; /* taken, and nobody knows: the same token again is answered with the same message */
	buf_free(&line);
	return code;
}

static int refuse(const struct error *e)
{
	return answer(e->reason, e->text);
}

static bool parse(int argc, char **argv, struct drop *d)
{
	d->wake = argc == 2 && strcmp(argv[1], "wake") == 0;
	if (d->wake)
		return true;
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 >= argc || argv[i + 1][0] != '/')
			return false;
		if (strcmp(argv[i], "-q") == 0)
			d->queue_dir = argv[i + 1];
		else if (strcmp(argv[i], "-C") == 0)
			d->conf_dir = argv[i + 1];
		else
			return false;
	}
	return d->queue_dir || !d->conf_dir;
}

int main(int argc, char **argv)
{
	struct drop d = {.caller = getuid()};
	bool known = parse(argc, argv, &d);
	char text[300];
	struct error err;

	d.own = argc > 1 && !d.wake;
	settle(d.own);
	if (!known) {
		error_set(&err, REASON_USAGE, "outpost-drop: usage: outpost-drop [wake | -q /QUEUEDIR [-C /CONFDIR]]");
		return refuse(&err);
	}
	if (!d.own)
		d.queue_dir = QUEUEDIR;
	if (!d.own && slot_take(&d, &err) < 0)
		return refuse(&err);
	if ((d.own ? rights_give_up(d.queue_dir, &err) : rights_take(d.queue_dir, &err)) < 0)
		return refuse(&err);
	if (d.wake)
		return flusher_start(&d, &err) < 0 ? refuse(&err) : answer(REASON_NONE, "outpostd listens");
	if (receive(&d, &err) < 0)
		return refuse(&err);
	STEP("drop-synced");
	flusher_wake(&d, text, sizeof(text));
	STEP("drop-answer");
	return answer(REASON_NONE, text);
}
