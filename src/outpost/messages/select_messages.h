/* select_messages.h: which messages a subcommand means: ids, or everything that a filter lets through. */
#ifndef OUTPOST_SELECT_MESSAGES_H
#define OUTPOST_SELECT_MESSAGES_H

#include "outpost/command.h"

/* The options that every filter understands; put them into a subcommand's table. */
#define SELECT_OPTIONS \
	{"user", 'u', "USER", "only what this user submitted (name or uid)"}, \
	{"sender", 's', "ADDRESS", "only mail of this envelope sender"}, \
	{"older-than", 'o', "AGE", "only mail that came in longer ago (90s, 15m, 2h, 3d, 1w)"}

/* --user, --sender and --older-than into f; the rest of f stays. */
int select_filter(struct context *c, struct queue_filter *f, struct error *err);
/* Whether any of them was given. */
bool select_given(const struct context *c);

struct selection {
	char (*ids)[QUEUE_ID];
	size_t n, room;
};

/* The caller frees it with select_free, after errors as well. */
int select_add(struct selection *s, const char id[QUEUE_ID], struct error *err);
int select_add_typed(struct selection *s, const char *typed, struct error *err);
/* Adds all messages that f lets through (ids upper-case). */
int select_all(struct queue *q, const struct queue_filter *f, struct selection *out, struct error *err);
void select_free(struct selection *s);

/* An id as somebody typed it, in upper case; false for what can't be one. */
bool select_id(const char *typed, char id[QUEUE_ID]);

/* The row of an id or unambiguous prefix; errors name what was typed. */
int select_find(struct queue *q, const char *typed, int64_t *row, char id[QUEUE_ID], struct error *err);

#endif
