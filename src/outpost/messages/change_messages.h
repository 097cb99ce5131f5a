/* change_messages.h: hold, release, retry and delete have one shape: some messages, one change each. */
#ifndef OUTPOST_CHANGE_MESSAGES_H
#define OUTPOST_CHANGE_MESSAGES_H

#include "outpost/command.h"
#include "outpost/messages/select_messages.h"

struct message_change {
	const char *verb;	/* what outpostd is asked, "delete" */
	const char *done;	/* "deleted" */
	const char *states;	/* of queue_filter: what --all means */
	queue_change change;
	bool destructive;	/* asks on a terminal */
};

/* The `run` of such a command: by its options and c->command->change. */
int change_run(struct context *c);

/* The same for ids that are known already (postsuper); returns the exit status. */
int change_ids(struct context *c, const struct message_change *change, const struct selection *ids, bool quiet);

extern const struct message_change change_hold, change_release, change_retry, change_delete;
extern const struct command_option change_options[];

#endif
