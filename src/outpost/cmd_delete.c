#include "config.h"
#include "outpost/messages/change_messages.h"

const struct message_change change_delete = {.verb = "delete", .done = "deleted", .states = "qhf",
					     .change = queue_delete, .destructive = true};

const struct command command_delete = {
	.name = "delete",
	.args = "[ID ...]",
	.help = "remove messages from the queue; their senders are not told",
	.more = CHANGE_HELP,
	.options = change_options,
	.max_args = -1,
	.change = &change_delete,
	.run = change_run,
};
