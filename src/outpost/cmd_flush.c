/* cmd_flush.c: `outpost flush`: deliver everything now, in the foreground. Where no outpostd runs, one is started that
 * leaves when it is done; either way the work is asked for through the admin socket. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/text/text.h"
#include "control/control.h"
#include "outpost/check/print_hint.h"
#include "outpost/command.h"
#include "outpost/flusher/health.h"
#include "outpost/flusher/start_outpostd.h"

enum { PLAIN_EVERY_MS = 5000, TERMINAL_EVERY_MS = 100, IN_BETWEEN_MS = 20000, LOOK_AGAIN_MS = 50 };

struct progress {
	bool terminal;
	int64_t shown;
};

/* "DONE SENT DEFERRED FAILED LEFT": a line that is drawn over again on a terminal, else one now and then. */
static int show_progress(void *arg, char prefix, const char *line, size_t len)
{
	struct progress *p = arg;
	int64_t now = clock_mono_ms();
	uint64_t n[5];
	struct span rest = {line, len}, word;

	if (prefix != '#' || now - p->shown < (p->terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS))
		return 0;
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		if (!span_word(&rest, " ", &word) || !text_u64(word, UINT64_MAX, &n[i]))
			return 0;
	p->shown = now;
	fprintf(p->terminal ? stderr : stdout, "%s%llu of %llu done (%llu sent, %llu deferred, %llu failed)%s",
		p->terminal ? "\r" : "", (unsigned long long)n[0], (unsigned long long)(n[0] + n[4]),
		(unsigned long long)n[1], (unsigned long long)n[2], (unsigned long long)n[3],
		p->terminal ? "\033[K" : "\n");
	fflush(stdout);
	return 0;
}

/* One that is leaving answers no more but has the lock still: what we started then could not have it. */
static bool in_between(const struct error *e)
{
	return e->reason == REASON_FLUSHER_BUSY;
}

static int flush(struct context *c, struct error *answer)
{
	static const char *const words[] = {"flush"};
	deadline until = deadline_in_ms(IN_BETWEEN_MS);
	bool terminal = isatty(STDERR_FILENO) && !option_given(c, "quiet");
	struct progress p = {terminal, clock_mono_ms()};
	struct control_sink sink = {&p, show_progress};
	int rc;

	while ((rc = context_ask(c, words, 1, &sink, CONTEXT_PATIENCE_MS, answer)) < 0) {
		rc = start_once(c, answer);
		if (deadline_over(until) || (rc != EX_OK && !in_between(answer)))
			break;
		if (rc != EX_OK)
			poll(NULL, 0, LOOK_AGAIN_MS);
	}
	if (terminal)
		fputs("\r\033[K", stderr);
	return rc;
}

/* A misspelt line may be why. */
static void say_unknown(struct context *c)
{
	const struct conf_unused *list;
	size_t n = conf_unused(c->conf, &list);
	char text[600];

	for (size_t i = 0; i < n; i++)
		if (!list[i].postfix)
			fprintf(stderr, "outpost: line %u of main.cf: %s\n", list[i].line,
				conf_unused_words(&list[i], text, sizeof(text)));
}

/* Why a relay is down, as something to do. */
static void say_what_to_do(struct context *c)
{
	struct queue_relay relays[HEALTH_RELAYS];
	struct error ignored = {0};
	char hint[HINT_SIZE];
	struct queue *q;
	int n;

	say_unknown(c);
	if (context_read_queue(c, &q, &ignored) < 0 || !q)
		return;
	n = health_relays(c, q, relays, &ignored);
	queue_close(q);
	for (int i = 0; i < n; i++) {
		if (!relays[i].down_since)
			continue;
		hint_of_relay(hint, c->conf, &relays[i]);
		hint_print(stderr, hint, "outpost: hint: ", "               ");
	}
}

static int run(struct context *c)
{
	struct error err = {0};
	int rc;

	if (context_conf(c, &err) < 0) {
		fail(&err);
		return error_exit(&err) == EX_NOPERM ? EX_NOPERM : EX_CONFIG;
	}
	/* A tutorial's chmod 600 must not stop the mail. */
	if (context_fix_modes(c, &err) < 0 || context_become(c, &err) < 0)
		return fail(&err);
	if (credentials_conf_readable(c->conf, &err) < 0) {
		fail(&err);
		return EX_CONFIG;
	}
	rc = flush(c, &err);
	/* A script has the exit status; cron would mail the words, which then waited, too. */
	if (rc == EX_TEMPFAIL && option_given(c, "quiet") && !isatty(STDERR_FILENO))
		return rc;
	if (rc != EX_OK) {
		fflush(stdout);
		fprintf(stderr, "outpost: %s\n", err.text);
		say_what_to_do(c);
	} else if (!option_given(c, "quiet")) {
		printf("%s\n", err.text);
	}
	return rc;
}

static const struct command_option options[] = {
	{"quiet", 'q', NULL, "no progress, and no words when all went well or, but on a terminal, mail waits"},
	{NULL, 0, NULL, NULL},
};

const struct command command_flush = {
	.name = "flush",
	.args = "",
	.help = "deliver everything now, in the foreground",
	.more = "Exit status: 0 nothing is left to send (it says how many failed), 75 something is still\n"
		"deferred, 78 the configuration does not allow delivery.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
