/* cmd_change.c: `outpost hold`, release, retry and delete: one change each, of messages that are named or chosen. */
#include "config.h"
#include "outpost/messages/change_messages.h"

#define CHANGE(NAME, DONE, STATES, DESTRUCTIVE, HELP) \
	const struct message_change change_##NAME = {.verb = #NAME, .done = DONE, .states = STATES, \
						     .change = queue_##NAME, .destructive = DESTRUCTIVE}; \
	const struct command command_##NAME = {.name = #NAME, .args = "[ID ...]", .help = HELP, .more = more, \
					       .options = change_options, .max_args = -1, \
					       .change = &change_##NAME, .run = change_run}

static const char more[] =
	"Queue ids are given whole. --user, --sender and --older-than choose messages by themselves; together\n"
	"they narrow. Exit status: 0 all done, 65 a message was not there or not in a state that allows it.\n";

CHANGE(hold, "held", "q", false, "keep messages in the queue until they are released");
CHANGE(release, "released", "h", false, "let held messages go on");
CHANGE(retry, "to be tried now", "qf", false, "try deferred messages now, and failed ones once more");
CHANGE(delete, "deleted", "qhf", true, "remove messages from the queue; their senders are not told");
