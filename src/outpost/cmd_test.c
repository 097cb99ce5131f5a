/* cmd_test.c: `outpost test ADDRESS`: one message through sendmail itself, followed to the relay's answer. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include "outpost/check/check_report.h"
#include "outpost/command.h"
#include "outpost/flusher/health.h"
#include "outpost/flusher/start_outpostd.h"
#include "submission/submission.h"

enum { PATIENCE_S = 120, LOOK_MS = 50, SAID_MAX = 16 << 10, EVENTS = 32 };

struct test {
	struct context *c;
	struct report r;
	const char *address, *sender;
	char id[QUEUE_ID];
	int64_t begun, begun_us;	/* monotonic ms, wall clock */
	bool ended;
	int code;
};

static int write_letter(const struct test *t, int fd)
{
	char letter[2048];
	int n = snprintf(letter, sizeof(letter),
			 "Subject: test from %s\nTo: %s\nAuto-Submitted: auto-generated\n\n"
			 "This message was sent by `outpost test` on %s. If you read it, mail from there works.\n",
			 conf_myhostname(t->c->conf), t->address, conf_myhostname(t->c->conf));

	if (n < 0 || (size_t)n >= sizeof(letter))
		return -1;
	return io_write_all(fd, letter, (size_t)n, deadline_in_ms(10000));
}

/* Runs sendmail -v; its words into said. Returns its exit status, -1 when it could not be run. */
static int run_sendmail(const struct test *t, struct buf *said, struct error *err)
{
	char path[PATH_MAX], dir[PATH_MAX];
	char from[] = "-f", end[] = "--";
	char *argv[10] = {(char[]){"sendmail"}, (char[]){"-C"}, dir, (char[]){"-i"}, (char[]){"-v"}};
	int in[2], out[2], n = 5, status = 0;
	struct proc_fd fds[3];
	pid_t pid;

	if (!realpath(t->c->dir, dir) || !io_program_path("sendmail", HELPERDIR, path, sizeof(path)))
		return error_sys(err, REASON_SYSTEM_FILE, "%s", t->c->dir);
	if (*t->sender) {
		argv[n++] = from;
		argv[n++] = (char *)(uintptr_t)t->sender;
	}
	argv[n++] = end;
	argv[n] = (char *)(uintptr_t)t->address;
	if (pipe2(in, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		error_sys(err, REASON_SYSTEM, "cannot make a pipe");
		close(in[0]);
		close(in[1]);
		return -1;
	}
	fds[0] = (struct proc_fd){in[0], 0};
	fds[1] = (struct proc_fd){out[1], 1};
	fds[2] = (struct proc_fd){out[1], 2};
	pid = proc_start(&(struct proc_spec){.path = path, .argv = argv, .env = step_env(), .fds = fds, .nfds = 3},
			 err);
	close(in[0]);
	close(out[1]);
	if (pid > 0)
		write_letter(t, in[1]);
	close(in[1]);
	while (pid > 0) {
		char *room = buf_room(said, 1024);
		ssize_t got = room ? io_read(out[0], room, 1024) : 0;

		if (got <= 0)
			break;
		said->len += (size_t)got;
	}
	close(out[0]);
	status = proc_wait(pid);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* sendmail prints the answer with its name before it. The drop knows no id: then it is found by the recipient. */
static bool take_id(struct test *t, struct span said)
{
	static const char name[] = "sendmail: ";
	struct span line;

	while (span_word(&said, "\n", &line)) {
		size_t skip = line.n > strlen(name) && memcmp(line.p, name, strlen(name)) == 0 ? strlen(name) : 0;

		if (submission_queued_id((struct span){line.p + skip, line.n - skip}, t->id, sizeof(t->id)))
			return true;
	}
	return false;
}

static bool submit(struct test *t, struct error *err)
{
	struct buf said;
	struct span words;
	bool ok = false;
	int code;

	buf_init(&said, SAID_MAX);
	code = run_sendmail(t, &said, err);
	words = span_trim((struct span){buf_str(&said), said.len});
	if (code == EX_OK && take_id(t, words)) {
		report_linef(&t->r, REPORT_OK, "queued", NULL, *t->id ? "as %s" : "%s",
			     *t->id ? t->id : "by outpost-drop");
		ok = true;
	} else if (code >= 0) {
		error_set(err, code ? reason_of_exit(code) : REASON_INTERNAL, "%.*s", (int)words.n,
			  words.n ? words.p : "");
	}
	buf_free(&said);
	return ok;
}

static int64_t elapsed(const struct test *t)
{
	return clock_mono_ms() - t->begun;
}

/* A refusal or deferral, with what can be done about it. */
static void say_reason(struct test *t, int code, const char *label, enum reason why, const char *text)
{
	struct relayhost relay;
	struct error ignored;
	bool known = relayhost_list(t->c->conf, &relay, 1, &ignored) > 0;

	report_reason(&t->r, REPORT_FAIL, why, known ? &relay : NULL, NULL, label, elapsed(t), text);
	t->ended = true;
	t->code = code;
}

static void take_event(struct test *t, const struct queue_event *e)
{
	const char *text = e->text ? e->text : "";

	if (strcmp(e->kind, "sent") == 0) {
		report_line(&t->r, REPORT_OK, "sent", elapsed(t), text, NULL);
		t->ended = true;
	} else if (strcmp(e->kind, "bounced") == 0 || strcmp(e->kind, "expired") == 0) {
		say_reason(t, EX_UNAVAILABLE, "refused", e->reason, text);
	} else if (strcmp(e->kind, "deferred") == 0) {
		say_reason(t, EX_TEMPFAIL, "waits", e->reason, text);
	}
}

/* Ours: by its id, or the first one to this address since we began. */
static bool is_ours(struct test *t, const struct queue_event *e)
{
	if (!*t->id && e->time >= t->begun_us && e->recipient && ascii_case_equal(e->recipient, t->address))
		snprintf(t->id, sizeof(t->id), "%s", e->id);
	return strcmp(t->id, e->id) == 0;
}

static int look_at_events(struct test *t, struct queue *q, int64_t *key, struct error *err)
{
	struct queue_event events[EVENTS];
	int n = queue_events(q, *t->id ? t->id : NULL, key, events, EVENTS, err);

	for (int i = 0; i < n; i++) {
		if (!t->ended && is_ours(t, &events[i]))
			take_event(t, &events[i]);
		queue_event_free(&events[i]);
	}
	return n < 0 ? -1 : 0;
}

/* A relay that went down since we began, or was down, makes no event for the message: its own words say why. While
 * another one may still take it nothing is said. */
static int look_at_relays(struct test *t, struct queue *q, struct error *err)
{
	struct queue_relay down;
	int rc = health_no_way(t->c, q, clock_wall_us(), &down, err);

	if (rc == 1)
		say_reason(t, EX_TEMPFAIL, "waits", down.reason, down.text);
	return rc < 0 ? -1 : 0;
}

static int follow(struct test *t, struct error *err)
{
	deadline until = deadline_in_ms(PATIENCE_S * 1000);
	int64_t key = 0;
	struct queue *q;
	int rc = 0;

	if (context_read_queue(t->c, &q, err) < 0)
		return -1;
	while (q && rc == 0 && !t->ended && !deadline_over(until)) {
		rc = look_at_events(t, q, &key, err);
		if (rc == 0 && !t->ended && elapsed(t) > 300)
			rc = look_at_relays(t, q, err);
		if (rc == 0 && !t->ended)
			poll(NULL, 0, LOOK_MS);
	}
	queue_close(q);
	if (rc == 0 && !t->ended)
		return error_set(err, REASON_TEMPORARY, "no answer after %d s; `outpost show %s` tells more",
				 PATIENCE_S, t->id);
	return rc;
}

/* A relay that was down before we came would let the message wait: have it tried now, as `outpost flush` does. */
static void nudge(struct test *t)
{
	static const char *const words[] = {"flush"};
	struct queue_relay relays[HEALTH_RELAYS];
	struct error ignored = {0};
	bool down = false;
	struct queue *q;
	int n;

	if (context_read_queue(t->c, &q, &ignored) < 0 || !q)
		return;
	n = health_relays(t->c, q, relays, &ignored);
	queue_close(q);
	for (int i = 0; i < n; i++)
		down |= health_is_down(&relays[i], clock_wall_us());
	if (!down)
		return;
	if (context_ask(t->c, words, 1, NULL, CONTEXT_PATIENCE_MS, &ignored) < 0 &&
	    start_once(t->c, &ignored) == EX_OK)
		context_ask(t->c, words, 1, NULL, CONTEXT_PATIENCE_MS, &ignored);
}

static int run(struct context *c)
{
	struct test t = {.c = c, .address = c->argv[0], .begun = clock_mono_ms(),
			 .begun_us = clock_wall_us()};
	bool by_root = geteuid() == 0;
	struct error err = {0};
	char title[LINE_MAX];

	report_init(&t.r, option_given(c, "json"));
	if (!strchr(t.address, '@'))
		return fail_usage(c, "%s is no address", t.address);
	if (context_become(c, &err) < 0)
		return fail(&err);
	t.sender = option_value(c, "from");
	if (!t.sender)
		t.sender = conf_str(c->conf, P_from_address);
	/* As what cron and most others send; and a bounce goes to whoever reads root's mail. */
	if (!*t.sender && by_root)
		t.sender = "root";
	snprintf(title, sizeof(title), "A message to %s", t.address);
	report_section(&t.r, "test", title);
	/* One that listens at the door gives the id at once. If it can't start, sendmail's own words say what is
	 * wrong. */
	start_once(c, &err);
	if (!submit(&t, &err))
		return fail(&err);
	nudge(&t);
	if (follow(&t, &err) < 0)
		return fail(&err);
	if (t.code == EX_TEMPFAIL && !t.r.json)
		printf("\nIt stays queued and is tried again; `outpost delete %s` removes it.\n", t.id);
	return t.code;
}

static const struct command_option options[] = {
	{"from", 'f', "SENDER", "the envelope's sender (default: from_address, or who runs this)"},
	{"json", 'j', NULL, "one JSON object per line"},
	{NULL, 0, NULL, NULL},
};

const struct command command_test = {
	.name = "test",
	.args = "ADDRESS",
	.help = "send one message and follow it to the relay's answer",
	.more = "Exit status: 0 the relay took it; 69 the relay refused it; 75 it waits.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
