#include "config.h"
#include "sendmail/modes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/text/text.h"
#include "control/control.h"
#include "sendmail/submit.h"

enum { PATIENCE_MS = 120 * 1000, START_MS = 10 * 1000, AGAIN_MS = 300, LOOK_EVERY_MS = 20 };

static int take_line(void *arg, char prefix, const char *p, size_t n)
{
	FILE *to = prefix == '!' ? stderr : stdout;

	(void)arg;
	if (prefix == '#')
		return 0;
	return fwrite(p, 1, n, to) == n && (prefix == '+' || fputc('\n', to) != EOF) ? 0 : -1;
}

/* A program of ours, for this configuration. */
struct command {
	char path[4096];
	char *argv[6];
};

static int find_command(struct place *p, const char *name, const char *verb, const char *option, struct command *c,
			struct error *err)
{
	size_t n = 0;

	if (!io_program_path(name, SBINDIR, c->path, sizeof(c->path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of %s is too long", name);
	c->argv[n++] = (char *)name;
	if (p->own) {
		c->argv[n++] = (char *)"-C";
		c->argv[n++] = p->dir;
	}
	c->argv[n++] = (char *)verb;
	c->argv[n++] = (char *)option;
	c->argv[n] = NULL;
	return 0;
}

static pid_t start_command(struct place *p, const char *name, const char *verb, struct error *err)
{
	struct command c;

	if (find_command(p, name, verb, NULL, &c, err) < 0)
		return -1;
	return proc_start(&(struct proc_spec){.path = c.path, .argv = c.argv, .env = step_env(), .session = true}, err);
}

/* The administrator's command does it: for the queue's owner, who needs no door. Comes back only if it can't. */
static void run_outpost(struct place *p, const char *verb, const char *option)
{
	struct error ignored;
	struct command c;

	if (find_command(p, "outpost", verb, option, &c, &ignored) < 0)
		return;
	fflush(stdout);
	execv(c.path, c.argv);
}

static int ask_door(struct place *p, const char *const *words, size_t n, struct error *answer, struct error *err)
{
	struct control_sink sink = {NULL, take_line};
	int rc = control_ask(p->door, words, n, &sink, deadline_in_ms(PATIENCE_MS), answer, err);

	if (fflush(stdout) == EOF && rc == 0) {
		error_sys(answer, REASON_IO, "cannot write the list");
		return EX_IOERR;
	}
	return rc;
}

static bool may_start(const struct place *p)
{
	return geteuid() == 0 || p->own;
}

typedef int (*question)(struct place *p, const struct options *o, struct error *answer, struct error *err);

static int ask_until(struct place *p, const struct options *o, question ask, deadline until, struct error *answer,
		     struct error *err)
{
	int rc;

	while ((rc = ask(p, o, answer, err)) < 0 && error_exit(err) == EX_UNAVAILABLE && !deadline_over(until))
		poll(NULL, 0, LOOK_EVERY_MS);
	return rc;
}

/* Nobody is at the system's door, and the caller may not start outpostd: outpost-drop does. Another flusher that is
 * coming up makes that fail, and then answers as well; one that is leaving makes it fail, and then another can
 * start. */
static int ask_started(struct place *p, const struct options *o, question ask, struct error *answer, struct error *err)
{
	deadline until = deadline_in_ms(START_MS);
	struct error why;
	bool started;
	int rc;

	do {
		why = (struct error){0};
		started = start_flusher(&why) == 0;
		rc = ask_until(p, o, ask, deadline_in_ms(started || error_exit(&why) == EX_TEMPFAIL ? AGAIN_MS : 0),
			       answer, err);
	} while (rc < 0 && error_exit(err) == EX_UNAVAILABLE && (started || error_exit(&why) == EX_TEMPFAIL) &&
		 !deadline_over(until));
	if (rc < 0 && !started)
		error_set(err, REASON_UNAVAILABLE, "no outpostd answers at %s, and none could be started: %s", p->door,
			  why.text);
	return rc;
}

static int ask_anyhow(struct place *p, const struct options *o, question ask, struct error *answer, struct error *err)
{
	int rc = ask(p, o, answer, err);

	return rc < 0 && error_exit(err) == EX_UNAVAILABLE && !may_start(p) ? ask_started(p, o, ask, answer, err) : rc;
}

static int list(struct place *p, const struct options *o, struct error *answer, struct error *err)
{
	bool count = o->mode == MODE_COUNT;
	const char *words[] = {"mailq", count ? "count" : "json"};

	return ask_door(p, words, count || o->json ? 2 : 1, answer, err);
}

int ask_list(struct place *p, const struct options *o)
{
	struct error answer = {0}, err = {0};
	int rc = ask_anyhow(p, o, list, &answer, &err);

	if (rc > 0)
		return mode_complain(&answer);
	if (rc == 0)
		return EX_OK;
	if (error_exit(&err) == EX_UNAVAILABLE && may_start(p))
		run_outpost(p, "queue", o->mode == MODE_COUNT ? "--count" : o->json ? "--json" : NULL);
	return mode_complain(&err);
}

static bool selects(const struct options *o)
{
	return o->flush && strchr("IRS", o->flush);
}

static int wake(struct place *p, const struct options *o, struct error *answer, struct error *err)
{
	const char letter[] = {o->flush_not ? '!' : o->flush, o->flush_not ? o->flush : '\0', '\0'};
	const char *words[] = {"wake", letter, o->flush_arg};

	return ask_door(p, words, selects(o) ? 3 : 1, answer, err);
}

/* Who only wants some of the mail tried must not have all of it tried: the flusher comes first, then the question. */
static int wake_started(struct place *p, const struct options *o, struct error *answer, struct error *err)
{
	pid_t pid = start_command(p, "outpostd", "--once", err);

	if (pid < 0)
		return -1;
	proc_wait(pid);
	return ask_until(p, o, wake, deadline_in_ms(AGAIN_MS), answer, err);
}

int ask_flush(struct place *p, const struct options *o)
{
	struct error answer = {0}, err = {0};
	int rc;

	if (o->flush == 'T')
		fprintf(stderr, "sendmail: -q%s: the queue is run once; outpostd runs it at its own times "
				"(minimal_backoff_time)\n",
			o->flush_arg);
	if (o->flush == 'G')
		fprintf(stderr, "sendmail: -qG%s: there are no queue groups here; all of the queue is run\n",
			o->flush_arg);
	rc = ask_anyhow(p, o, wake, &answer, &err);
	if (rc < 0 && error_exit(&err) == EX_UNAVAILABLE && may_start(p) && selects(o))
		rc = wake_started(p, o, &answer, &err);
	if (rc >= 0)
		return rc ? mode_complain(&answer) : EX_OK;
	if (error_exit(&err) != EX_UNAVAILABLE || !may_start(p) || selects(o))
		return mode_complain(&err);
	/* Where no outpostd runs, `outpost flush` starts one that leaves when nothing is left to do; it is not waited
	 * for. */
	return start_command(p, "outpost", "flush", &err) < 0 ? mode_complain(&err) : EX_OK;
}
