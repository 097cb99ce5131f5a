/*
 * conf/internal.h: what the files of this room share.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"
#include "conf/conf.h"

/* One logical line of main.cf. */
struct conf_entry {
	char *name;
	char *raw;
	unsigned line;
	int param;		/* conf_param, or -1 */
	bool referred;		/* some other value says $name */
};

/* A file that a value came from. */
struct conf_file {
	char *path;
	struct stat st;		/* all zero: it was missing */
};

struct conf {
	char *dir;
	char *path;			/* DIR/main.cf */
	uid_t writer;			/* who but root can write it; 0: nobody */
	struct conf_entry *entries;
	size_t nentries, entries_room;
	char *values[CONF_PARAMS];	/* expanded, made when first asked for */
	char **old;			/* values that conf_set replaced: callers may still hold them */
	size_t nold, old_room;
	struct conf_file *files;
	size_t nfiles, files_room;
	struct conf_unused *unused;
	size_t nunused;
	struct buf notes;		/* one sentence a line */
	unsigned steps;			/* of expansion: names looked up for this value, or while all are checked */
	bool checking;
};

/* ---- load.c */
const struct conf_entry *conf_entry(const struct conf *c, const char *name);	/* the last one of this name, or NULL */
void conf_note(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int conf_watch(struct conf *c, const char *path, struct error *err);	/* conf_changed looks at it too */

/* As conf_load, from text that is no file. */
int conf_from_text(const char *dir, struct span text, struct conf **out, struct error *err);

/* ---- expand.c */
int conf_expand(struct conf *c, const char *raw, struct buf *out, struct error *err);
/* What $name stands for: of parameter p, its value. */
int conf_expand_param(struct conf *c, enum conf_param p, struct buf *out, struct error *err);

/* ---- value.c */
int conf_check_value(struct conf *c, enum conf_param p, struct error *err);
void conf_hide_secrets(const char *text, struct buf *out);

/* ---- host.c: defaults that this host gives; NULL: p has none of the kind. */
const char *conf_host_default(struct conf *c, enum conf_param p, struct buf *room);
/* Whether what main.cf says of parameter p is not taken as it stands: a file that holds myorigin, a name without
 * domain. */
bool conf_host_completes(int p, const char *raw);

#endif
