/*
 * list_reader.h: the texts of :include: lists, which users keep where they like. A process of its own reads each
 * (base/trust.h says what it opens), so that a file system that does not answer holds up nothing but the submissions to
 * that list. A text serves those that asked before its reading began, and is forgotten after some seconds.
 */
#ifndef OUTPOSTD_LIST_READER_H
#define OUTPOSTD_LIST_READER_H

#include "outpostd/parts.h"

enum { LISTS_KEPT = 128 };
struct lists {
	struct list_file *files[LISTS_KEPT];
	size_t n;
	unsigned reads;		/* begun so far */
	unsigned since;		/* of whoever asks */
	bool awaited;		/* and was told to wait */
};

/* How many readings have begun: whoever asks now is served by later ones. */
unsigned lists_now(const struct outpostd *d);
/* Before a rewriting that uses lists_include: only readings after this one count. */
void lists_ask(struct outpostd *d, unsigned since);
/* Whether that rewriting failed only because a list is being read. submissions_lists_read and incoming_lists_read are
 * called when it is. */
bool lists_awaited(const struct outpostd *d);
/* The include of struct rewrite_rules; arg is the outpostd. */
int lists_include(void *arg, const char *path, struct buf *text, struct error *err);
deadline lists_deadline(const struct outpostd *d);
void lists_tick(struct outpostd *d);
void lists_free(struct outpostd *d);

#endif
