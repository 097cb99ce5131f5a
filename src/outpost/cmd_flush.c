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
#include "base/proc.h"
#include "base/step.h"
#include "base/text.h"
#include "outpost/command.h"
#include "outpost/check/hint.h"
#include "outpost/flusher/start_outpostd.h"
#include "outpost/flusher/health.h"

enum { PLAIN_EVERY_MS = 5000, BAR_EVERY_MS = 100, BAR_COLUMNS = 24, IN_BETWEEN_MS = 20000, LOOK_AGAIN_MS = 50 };

struct progress {
	bool terminal, drawn;
	int64_t started, shown;
};

struct counts {
	uint64_t done, sent, deferred, failed, left;
};

/* "DONE SENT DEFERRED FAILED LEFT" */
static bool parse_counts(const char *line, size_t n, struct counts *out)
{
	uint64_t *const into[] = {&out->done, &out->sent, &out->deferred, &out->failed, &out->left};
	struct span rest = {line, n}, word;

	for (size_t i = 0; i < sizeof(into) / sizeof(into[0]); i++)
		if (!span_word(&rest, " ", &word) || !text_u64(word, UINT64_MAX, into[i]))
			return false;
	return true;
}

static void draw_bar(const struct counts *n, int64_t elapsed_ms)
{
	uint64_t all = n->done + n->left;
	unsigned full = all ? (unsigned)(n->done * BAR_COLUMNS / all) : BAR_COLUMNS;
	double rate = elapsed_ms > 0 ? (double)n->done * 1000 / (double)elapsed_ms : 0;
	char bar[BAR_COLUMNS + 1], left[40] = "";

	memset(bar, '.', BAR_COLUMNS);
	memset(bar, '#', full);
	bar[BAR_COLUMNS] = 0;
	if (n->left && rate > 0)
		words_duration((int64_t)((double)n->left / rate) + 1, left, sizeof(left));
	fprintf(stderr, "\r[%s] %llu/%llu  %.0f/s%s%s  \033[K", bar, (unsigned long long)n->done,
		(unsigned long long)all, rate, *left ? "  left: " : "", left);
}

static void show_progress(void *arg, const char *line, size_t len)
{
	struct progress *p = arg;
	int64_t now = clock_mono_ms();
	struct counts n;

	if (now - p->shown < (p->terminal ? BAR_EVERY_MS : PLAIN_EVERY_MS) || !parse_counts(line, len, &n))
		return;
	p->shown = now;
	if (p->terminal) {
		p->drawn = true;
		draw_bar(&n, now - p->started);
		return;
	}
	printf("%llu of %llu done (%llu sent, %llu deferred, %llu failed)\n", (unsigned long long)n.done,
	       (unsigned long long)(n.done + n.left), (unsigned long long)n.sent, (unsigned long long)n.deferred,
	       (unsigned long long)n.failed);
	fflush(stdout);
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
	int64_t now = clock_mono_ms();
	struct progress p = {isatty(STDERR_FILENO) && !option_given(c, "quiet"), false, now, now};
	int rc;

	while ((rc = context_ask(c, words, 1, show_progress, &p, answer)) < 0) {
		rc = start_once(c, answer);
		if (deadline_over(until) || (rc != EX_OK && !in_between(answer)))
			break;
		if (rc != EX_OK)
			poll(NULL, 0, LOOK_AGAIN_MS);
	}
	if (p.drawn)
		fputs("\r\033[K", stderr);
	return rc;
}

static void print_hint(const struct buf *hint)
{
	struct span rest = {buf_str(hint), hint->len}, line;
	const char *before = "outpost: hint:";

	while (span_word(&rest, "\n", &line)) {
		fprintf(stderr, "%s %.*s\n", before, (int)line.n, line.p);
		before = "              ";
	}
}

/* Why the relay is down, as something to do. */
static int say_hint(void *arg, const struct queue_relay *r)
{
	struct context *c = arg;
	struct relayhost relay;
	struct error ignored = {0};
	struct buf hint;

	if (!r->down_since || !health_uses_relay(c, r->nexthop))
		return 0;
	buf_init(&hint, 8192);
	hint_add(&hint, r->reason, relayhost_parse(c->conf, r->nexthop, &relay, &ignored) == 0 ? &relay : NULL, NULL);
	print_hint(&hint);
	buf_free(&hint);
	return 0;
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

static void say_what_to_do(struct context *c)
{
	struct error ignored = {0};
	struct queue *q;

	say_unknown(c);
	if (context_read_queue(c, &q, &ignored) < 0 || !q)
		return;
	queue_relay_list(q, say_hint, c, &ignored);
	queue_close(q);
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
