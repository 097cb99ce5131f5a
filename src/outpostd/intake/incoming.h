/*
 * incoming.h: taking in what outpost-drop wrote while no door was open. A file's submission is acknowledged
 * already, so it may be lost in no way: COMMIT comes before unlink, and the token makes a second taking-in after a
 * crash between the two find the first one's id. What can never be taken moves to corrupt/.
 */
#ifndef OUTPOSTD_INCOMING_H
#define OUTPOSTD_INCOMING_H

#include "outpostd/parts.h"
#include "submission/incoming.h"

typedef char incoming_file[INCOMING_NAME + sizeof(".msg")];
struct incoming_entry {
	incoming_file name;
	bool large;
};
struct incoming_dir {
	struct watch watch;		/* of the directory; fd -1: none */
	bool look;			/* something may be there */
	unsigned looks, looked;		/* begun, and over: all that was there then is taken in, or stays */
	struct incoming_entry *names;	/* the oldest at the last look, large ones last; from `next` on not yet taken */
	size_t n, cap, next;
	incoming_file last;		/* the last look left younger ones out than this; "" when it did not */
	bool waits, waited;		/* files wait for a list that is being read; did so in this look */
	unsigned lists_since;		/* list_reader.h */
	size_t alone;			/* so many are taken one by one, as a transaction of several failed */
	size_t failures;		/* of transactions in a row */
	size_t stays;			/* could not be taken for now, */
	deadline again;			/* and are tried again then */
	int64_t pause;			/* ms, between such tries */
};

int incoming_open(struct outpostd *d);
/* Files may have come. Returns the look that finds what is there now; incoming_looked says that it is over. */
unsigned incoming_look(struct outpostd *d);
bool incoming_looked(const struct outpostd *d, unsigned look);
void incoming_tick(struct outpostd *d);		/* takes some in, in a transaction of its own */
void incoming_take(struct outpostd *d);		/* everything that is there */
bool incoming_busy(const struct outpostd *d);	/* whether there is, or may be, more to take */
deadline incoming_deadline(struct outpostd *d);
bool incoming_waits(struct outpostd *d);	/* whether a file is there that may be taken */
void incoming_lists_read(struct outpostd *d);	/* those that waited for a list are looked at again */
size_t incoming_count(struct outpostd *d);	/* files there */
void incoming_close(struct outpostd *d);
/* A file stays for now, and is looked at again. One line is logged for many. */
void incoming_leave(struct outpostd *d, const char *name, const char *why);

#endif
