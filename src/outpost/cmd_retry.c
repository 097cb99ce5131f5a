#include "config.h"
#include "outpost/messages/change_messages.h"

const struct message_change change_retry = {.verb = "retry", .done = "to be tried now", .states = "qf",
					    .change = queue_retry};

const struct command command_retry = {
	.name = "retry",
	.args = "[ID ...]",
	.help = "try deferred messages now, and failed ones once more",
	.more = CHANGE_HELP,
	.options = change_options,
	.max_args = -1,
	.change = &change_retry,
	.run = change_run,
};
