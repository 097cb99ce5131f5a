#include "config.h"
#include "outpost/messages/change_messages.h"

const struct edit edit_delete = {.verb = "delete", .done = "deleted", .states = "qhf", .edit = queue_delete, .destructive = true};

static int run(struct context *c)
{
	return edit_run(c, &edit_delete);
}

static const struct command_option options[] = {EDIT_OPTIONS};

const struct command command_delete = {
	.name = "delete",
	.args = "[ID ...]",
	.help = "remove messages from the queue; their senders are not told",
	.more = EDIT_HELP,
	.options = options,
	.max_args = -1,
	.run = run,
};
