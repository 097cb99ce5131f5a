/* change_messages.h: hold, release, retry and delete have one shape: some messages, one change each. */
#ifndef OUTPOST_CHANGE_MESSAGES_H
#define OUTPOST_CHANGE_MESSAGES_H

#include "outpost/command.h"
#include "outpost/messages/select_messages.h"

struct edit {
	const char *verb;	/* what outpostd is asked, "delete" */
	const char *done;	/* "deleted" */
	const char *states;	/* of queue_filter: what --all means */
	queue_edit edit;
	bool destructive;	/* asks on a terminal */
};

int edit_run(struct context *c, const struct edit *e);

/* The same for ids that are known already (postsuper); returns the exit status. */
int edit_ids(struct context *c, const struct edit *e, char (*ids)[QUEUE_ID], size_t n, bool quiet);

extern const struct edit edit_hold, edit_release, edit_retry, edit_delete;

#define EDIT_OPTIONS \
	{"all", 'a', NULL, "all messages in a state that allows it"}, SELECT_OPTIONS, \
	{"quiet", 'q', NULL, "print errors only"}, \
	{NULL, 0, NULL, NULL}

#define EDIT_HELP \
	"Queue ids are given whole. --user, --sender and --older-than choose messages by themselves; together\n" \
	"they narrow. Exit status: 0 all done, 65 a message was not there or not in a state that allows it.\n"

#endif
