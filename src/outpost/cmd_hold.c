#include "config.h"
#include "outpost/messages/change_messages.h"

const struct edit edit_hold = {.verb = "hold", .done = "held", .states = "q", .edit = queue_hold};

static int run(struct context *c)
{
	return edit_run(c, &edit_hold);
}

static const struct command_option options[] = {EDIT_OPTIONS};

const struct command command_hold = {
	.name = "hold",
	.args = "[ID ...]",
	.help = "keep messages in the queue until they are released",
	.more = EDIT_HELP,
	.options = options,
	.max_args = -1,
	.run = run,
};
