/* cmd_log.c: `outpost log`: what became of the mail, from the queue's own history. */
#include "config.h"

#include <poll.h>
#include <string.h>

#include "base/deadline.h"
#include "base/text/text.h"
#include "outpost/command.h"
#include "outpost/messages/print_history.h"
#include "outpost/messages/select_messages.h"

enum { FOLLOW_MS = 500 };

static bool is_kind(const char *name)
{
	struct span rest = span_of(EVENT_KINDS), one;

	while (span_word(&rest, " ", &one))
		if (span_is(one, name))
			return true;
	return false;
}

static int make_filter(struct context *c, struct queue *q, struct event_filter *f, char id[QUEUE_ID], struct error *err)
{
	int64_t age, row;

	if (option_given(c, "since")) {
		if (words_parse_age(option_value(c, "since"), &age, err) < 0)
			return -1;
		f->since = clock_wall_us() - age * 1000000;
	}
	f->recipient = option_value(c, "recipient");
	f->kind = option_value(c, "event");
	if (f->kind && !is_kind(f->kind))
		return error_set(err, REASON_USAGE, "--event is one of: " EVENT_KINDS);
	if (c->argc == 0)
		return 0;
	if (strchr(c->argv[0], '@'))
		return error_set(err, REASON_USAGE,
				 "\"%s\" is no queue id; the history of an address: outpost log -r '%s'", c->argv[0],
				 c->argv[0]);
	f->id = id;
	/* A message that is gone from the queue still has its history, under the whole id. */
	if (select_find(q, c->argv[0], &row, id, err) < 0 && !select_id(c->argv[0], id))
		return -1;
	return 0;
}

static int run(struct context *c)
{
	struct event_filter f = {0};
	struct error err = {0};
	char id[QUEUE_ID];
	int64_t key = 0;
	struct queue *q;
	int rc;

	if (context_read_queue(c, &q, &err) < 0)
		return fail(&err);
	if (!q)
		return EX_OK;
	rc = make_filter(c, q, &f, id, &err);
	while (rc == 0) {
		rc = events_print(q, &f, option_given(c, "json"), &key, &err);
		if (rc < 0 || !option_given(c, "follow"))
			break;
		fflush(stdout);
		poll(NULL, 0, FOLLOW_MS);
	}
	queue_close(q);
	if (rc == 0 && f.id && key == 0)
		rc = error_set(&err, REASON_DATA, "no message %s in the history, which is kept for %s", c->argv[0],
			       conf_str(c->conf, P_history_lifetime));
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"since", 's', "AGE", "only what happened less than AGE ago (15m, 2h, 3d)"},
	{"recipient", 'r', "TEXT", "only recipients whose address holds TEXT"},
	{"event", 'e', "EVENT", "only one kind: queued sent deferred bounced expired held ..."},
	{"follow", 'f', NULL, "go on with what happens next"},
	{"json", 'j', NULL, "one JSON object per line"},
	{NULL, 0, NULL, NULL},
};

const struct command command_log = {
	.name = "log",
	.args = "[ID]",
	.help = "what became of the mail: the history, oldest first",
	.more = "The history is kept for history_lifetime (7 days), also of messages that were delivered. The\n"
		"system's mail log says more: addresses, times and TLS of every delivery.\n",
	.options = options,
	.max_args = 1,
	.run = run,
};
