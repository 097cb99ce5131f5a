#include "config.h"
#include "outpost/messages/change_messages.h"

const struct message_change change_release =
	{.verb = "release", .done = "released", .states = "h", .change = queue_release};

const struct command command_release = {
	.name = "release",
	.args = "[ID ...]",
	.help = "let held messages go on",
	.more = CHANGE_HELP,
	.options = change_options,
	.max_args = -1,
	.change = &change_release,
	.run = change_run,
};
