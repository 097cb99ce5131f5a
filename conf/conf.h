/*
 * conf.h: what the administrator says: main.cf (postconf(5) syntax) read into one table of parameters.
 *
 * conf/params.def is the table: name, type, default, help. From it come the parser's checks, `outpost
 * config`, and main.cf(5). Values are kept raw and expanded ($name, ${name}, ${name?text}, ${name:text},
 * ${name?{text}:{text}}) when they are asked for. What Postfix knows and outpost has no use for is listed
 * as unused; what nobody knows is listed with the nearest name; neither stops anything.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"
#include "maps/maps.h"

/* P_relayhost, P_queue_directory, ... */
enum conf_param {
#define PARAM(name, type, def, allowed, help) P_##name,
#include "conf/params.def"
#undef PARAM
	CONF_PARAMS
};

enum conf_type { T_STR, T_BOOL, T_INT, T_SIZE, T_TIME, T_PATH, T_LIST, T_MAPS, T_WORD };

struct conf_info {
	const char *name;
	enum conf_type type;
	const char *def;	/* raw default; may hold $name */
	const char *allowed; /* T_INT, T_SIZE, T_TIME: "least..greatest"; T_WORD, T_LIST: the words; NULL: anything */
	const char *help;	/* paragraphs parted by "\n\n" */
};
extern const struct conf_info conf_table[CONF_PARAMS];

struct conf;

/* Reads DIR/main.cf. The value of every parameter of ours is checked here; errors name file and line. A main.cf (or a
 * directory) that others than root or the queue's owner can write is refused. EX_CONFIG, or EX_NOINPUT when there is
 * no main.cf, EX_NOPERM when it can't be read. */
int conf_load(const char *dir, struct conf **out, struct error *err);
/* All defaults, as if main.cf were empty. */
int conf_defaults(const char *dir, struct conf **out, struct error *err);
void conf_free(struct conf *c);

const char *conf_dir(const struct conf *c);
const char *conf_path(const struct conf *c);	/* of main.cf */
/* Whether main.cf, or a file read through it, has changed on disk since it was loaded. */
bool conf_changed(const struct conf *c);
bool conf_is_set(const struct conf *c, enum conf_param p);	/* written in main.cf */
unsigned conf_line(const struct conf *c, enum conf_param p);	/* 0: default */

/* Values, expanded. Strings belong to c and stay valid until it is freed. Out-of-range or malformed values were
 * refused by conf_load. */
const char *conf_str(struct conf *c, enum conf_param p);
bool conf_bool(struct conf *c, enum conf_param p);
int64_t conf_int(struct conf *c, enum conf_param p);
int64_t conf_seconds(struct conf *c,
		     enum conf_param p); /* s m h d w; the default's own unit when there is none, as in Postfix */
/* "5d" and the like (s, m, h, d, w) into seconds; a number alone has the unit of the default, def. */
bool conf_time(const char *text, const char *def, int64_t *seconds);
const char *conf_raw(const struct conf *c, enum conf_param p);
/* A T_MAPS as maps_open takes it; valid as long as c. */
struct map_list conf_map_list(struct conf *c, enum conf_param p);
/* Sets a value for this process alone (tests, -o name=value). */
int conf_set(struct conf *c, const char *name, const char *value, struct error *err);

/* Whether authorized_..._users admits a user: names, %groups, static:anyone; ! excludes; the first that fits decides;
 * nobody fits: no. -1: it hangs on a group that can't be known now. */
struct conf_user {
	const char *name;		/* NULL: a uid without a name */
	const gid_t *groups;
	size_t ngroups;
	/* 1; 0 there is no such group; -1 it can't be known now. NULL: proc_group, which may take for ever */
	int (*gid_of)(void *arg, const char *group, gid_t *gid);
	void *arg;
};
int conf_names_user(struct conf *c, enum conf_param p, const struct conf_user *who);

int conf_find(const char *name);			/* conf_param or -1 */
const char *conf_nearest(const char *name);		/* a name of ours that may have been meant, or NULL */
bool conf_postfix_knows(const char *name);		/* a parameter of Postfix that has no use here */

/* The value as written (or expanded), but of a password map no more than the type where the value itself would be the
 * password. For everything that people other than the administrator may come to see. */
void conf_shown(struct conf *c, enum conf_param p, bool expanded, struct buf *out);

/* ---- editing main.cf (conf/edit.c), pure: text in, text out, comments kept. A name that is set is replaced where it
 * counts (earlier settings of it, which had no effect, go); one that isn't comes behind the last comment that speaks
 * of it ("#name = "), or at the end. value NULL removes the setting. Returns whether anything changed, -1 for a value
 * that can't stand in main.cf. */
int conf_edit(struct span text, const char *name, const char *value, struct buf *out, struct error *err);

/* Sentences about main.cf that reading it led to (a line that looks like a parameter but continues the one above, a
 * name set twice, $name of nothing, ...): one a line. No secrets. */
const char *conf_notes(const struct conf *c);
/* "FILE:LINE: words: the line", the line without what may be secret; EX_CONFIG. Returns -1. */
int conf_fail_at(const struct conf *c, enum conf_param p, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Lines of main.cf that had no effect: each (name, line, nearest or NULL when Postfix knows it). */
struct conf_unused {
	const char *name;
	unsigned line;
	bool postfix;
	const char *nearest;
};
size_t conf_unused(const struct conf *c, const struct conf_unused **list);
/* What to say of one that nobody knows: "no parameter is called ...". */
const char *conf_unused_words(const struct conf_unused *u, char *out, size_t size);

/* myhostname, mydomain and myorigin as Postfix finds them (myorigin may name a file). Never empty. */
const char *conf_myhostname(struct conf *c);
const char *conf_myorigin(struct conf *c);

/* Who but root can write main.cf; 0: nobody. */
uid_t conf_writer(const struct conf *c);

/* Once we are who we are going to be: fails unless main.cf is root's or ours. (It may have been the owner's of the
 * queue directory that was there when it was read.) */
int conf_check_writer(const struct conf *c, struct error *err);

#endif
