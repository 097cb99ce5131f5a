#include "config.h"
#include "outpost/messages/change_messages.h"

const struct edit edit_release = {.verb = "release", .done = "released", .states = "h", .edit = queue_release};

static int run(struct context *c)
{
	return edit_run(c, &edit_release);
}

static const struct command_option options[] = {EDIT_OPTIONS};

const struct command command_release = {
	.name = "release",
	.args = "[ID ...]",
	.help = "let held messages go on",
	.more = EDIT_HELP,
	.options = options,
	.max_args = -1,
	.run = run,
};
