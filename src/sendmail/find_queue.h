/*
 * find_queue.h: where mail is handed in: the configuration, the door, the queue directory.
 */
#ifndef SENDMAIL_FIND_QUEUE_H
#define SENDMAIL_FIND_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/conf.h"

struct place {
	bool own;		/* a queue of one's own: -C, MAIL_CONFIG */
	char dir[4096];		/* configuration directory */
	struct conf *conf;	/* main.cf, or all defaults when it could not be read */
	struct error conf_error;/* why it could not; REASON_NONE: it could. The system's door works without it. */
	char door[4096];
};

/* config: -C's argument, a directory or a main.cf in it, or NULL. EX_CONFIG for paths that can't be. */
int place_find(struct place *p, const char *config, struct error *err);
void place_free(struct place *p);

/* message_size_limit, as far as it is known here (outpostd looks as well): 0: none. */
uint64_t place_size_limit(const struct place *p);

#endif
