/*
 * maps.h: lookup tables: lists of "type:source", asked in order. The types of Postfix that are made from a text file
 * (hash, btree, lmdb, ...) are read from that text file itself, so that nothing needs to be built; static, inline,
 * regexp, and pcre as far as POSIX can express it. exec and oauth2 are known by name only: src/credentials asks them.
 *
 * No process is started here, and no file's mode is judged. Every program may link this room.
 */
#ifndef MAPS_MAPS_H
#define MAPS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"

enum map_kind { MAP_TEXT, MAP_STATIC, MAP_INLINE, MAP_REGEXP, MAP_PCRE, MAP_EXEC, MAP_OAUTH2, MAP_NOTHING };

enum map_use {
	MAPS_PLAIN,
	MAPS_ALIASES,		/* files hold "name: value"; a missing one is empty; $1 of a pattern is refused */
	MAPS_ADDRESSES,		/* patterns are asked for whole addresses only, not for user or @domain */
	MAPS_RELAYS,		/* as MAPS_ADDRESSES, but $1 is refused */
	MAPS_PASSWORDS,
};

/* What the administrator wrote. The strings belong to the caller; name must outlive the maps. */
struct map_list {
	const char *name;	/* of the parameter, for error texts */
	const char *text;
	const char *dir;	/* where relative paths begin */
	enum map_use use;
	const char *preferred_dir;	/* a text file of the same name in here is read instead; NULL: none */
	/* NULL, or what is asked about each file: one that was read (failure 0, its stat) and one that cannot be
	 * (errno). -1 with *err refuses it; 0 leaves it to this room. */
	int (*check_file)(void *arg, const char *path, const struct stat *st, int failure, struct error *err);
	void *arg;
};

/* ---- one element of a list, without opening anything */

/* "proxy:hash:/file" to MAP_TEXT and "/file". False: no such type. */
bool map_split(struct span element, enum map_kind *kind, struct span *source);
/* What is wrong with an element, in words; NULL: nothing. */
const char *map_problem(struct span element, enum map_use use);
/* The path of an element's file, or NULL without memory. Caller frees. */
char *map_path(const struct map_list *l, enum map_kind kind, struct span source);

/* ---- lists */

struct maps;
/* *out is NULL where the list is empty; all other calls take that for maps without entries. */
int maps_open(struct map_list l, struct maps **out, struct error *err);
void maps_free(struct maps *ms);	/* wipes */
/* Whether a file is another by now. */
bool maps_changed(const struct maps *ms);
/* Whether others than root and this process's user can change a file of it. Asked of MAPS_ALIASES only. */
bool maps_exposed(const struct maps *ms);
/* The first line of an alias file that is not "name: value", and so has no effect, and its file; 0: there is none. */
unsigned maps_bad_line(const struct maps *ms, const char **path);
/* 1: found, appended to value; 0: not found; -1. The key is taken as it is; case does not count. */
int maps_get(const struct maps *ms, const char *key, struct buf *value, struct error *err);

/* ---- the elements of an open list, for src/credentials */

size_t maps_count(const struct maps *ms);
enum map_kind maps_kind(const struct maps *ms, size_t i);
const char *maps_source(const struct maps *ms, size_t i);	/* file, command or value */
/* As maps_get, of one element; 0 for exec and oauth2. */
int maps_get_from(const struct maps *ms, size_t i, const char *key, struct buf *value, struct error *err);
/* Wipes all values: keys can still be found, by maps_get_from. Patterns are dropped as a whole. */
void maps_forget_values(struct maps *ms);

#endif
