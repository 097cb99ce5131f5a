#include "config.h"
#include "outpost/messages/change_messages.h"

const struct message_change change_hold = {.verb = "hold", .done = "held", .states = "q", .change = queue_hold};

const struct command command_hold = {
	.name = "hold",
	.args = "[ID ...]",
	.help = "keep messages in the queue until they are released",
	.more = CHANGE_HELP,
	.options = change_options,
	.max_args = -1,
	.change = &change_hold,
	.run = change_run,
};
