#include "config.h"
#include "outpost/messages/change_messages.h"

const struct edit edit_retry = {.verb = "retry", .done = "to be tried now", .states = "qf", .edit = queue_retry};

static int run(struct context *c)
{
	return edit_run(c, &edit_retry);
}

static const struct command_option options[] = {EDIT_OPTIONS};

const struct command command_retry = {
	.name = "retry",
	.args = "[ID ...]",
	.help = "try deferred messages now, and failed ones once more",
	.more = EDIT_HELP,
	.options = options,
	.max_args = -1,
	.run = run,
};
