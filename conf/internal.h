/*
 * conf/internal.h: what the files of this room share.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
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
	struct stat st;
	bool missing;
};

struct conf {
	char *dir;
	char *path;			/* DIR/main.cf */
	uid_t writer;			/* who but root can write it; 0: nobody */
	struct conf_entry *entries;
	size_t nentries;
	char *values[CONF_PARAMS];	/* expanded, made when first asked for */
	char **old;			/* values that conf_set replaced: callers may still hold them */
	size_t nold;
	struct conf_file *files;
	size_t nfiles;
	struct conf_unused *unused;
	size_t nunused;
	struct buf notes;		/* one sentence a line */
	struct conf_answer *answers;	/* of exec: and oauth2: maps */
	size_t nanswers;
	bool refused;			/* the relay refused a token: the next one must be new */
};

/* ---- load.c */
const struct conf_entry *conf_entry(const struct conf *c, const char *name);	/* the last one of this name, or NULL */
/* "FILE:LINE: words: the line", the line without what may be secret. Returns -1. */
int conf_fail_at(const struct conf *c, enum conf_param p, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
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
/* The next element of a list (commas, blanks); braces hold one together and are kept. */
bool conf_list_next(struct span *rest, struct span *element);
void conf_hide_secrets(const char *text, struct buf *out);

/* ---- host.c: defaults that this host gives; NULL: p has none of the kind. */
const char *conf_host_default(struct conf *c, enum conf_param p, struct buf *room);
/* Whether what main.cf says of parameter p is not taken as it stands: a file that holds myorigin, a name without domain. */
bool conf_host_completes(int p, const char *raw);

/* ---- map.c */
/* Judges one element of a list of maps; says in words what is wrong, NULL: nothing. */
const char *conf_map_problem(enum conf_param p, struct span element);

/* Whether this element is oauth2:FILE; its path in file. */
bool conf_map_oauth2(struct conf *c, struct span element, char *file, size_t size);

bool conf_map_is_program(struct span element);	/* exec: or oauth2: */

/* A map's text in logical lines: each is given once, without comments, with its line number. -1 from each ends it. */
int conf_each_line(struct span text, int (*each)(void *arg, struct span line, unsigned number, struct error *err),
		   void *arg, struct error *err);

/* Like conf_maps_get for the password maps: whatever answers, split into name and secret. */
int conf_maps_secret(struct conf_maps *ms, const char *key, struct conf_credential *out, struct error *err);

/* The passwords go, the keys stay; conf_maps_owner alone may be asked then: 1 this key stands there for itself, or nobody can say; 0
 * not there; 2 an answer that is the same for every key. */
void conf_maps_forget_values(struct conf_maps *ms);
int conf_maps_owner(const struct conf_maps *ms, const char *key);

void conf_credential_digest(struct conf_credential *cr, const struct conf_relay *r);

/* "user:password" into out: 1 or -1. */
int conf_split_secret(const struct buf *value, const char *key, struct conf_credential *out, struct error *err);

/* ---- exec.c: programs that know passwords. What they say is kept in c for as long as they allow. 1, 0, -1. */
struct conf_answer {
	char *spec, *key;
	struct buf user, secret;
	char kind;
	int64_t until;		/* clock_mono_ms */
};
int conf_exec_get(struct conf *c, const char *spec, const char *key, struct conf_credential *out, struct error *err);
/* oauth2:FILE, by outpost-token. */
int conf_oauth2_get(struct conf *c, const char *file, struct conf_credential *out, struct error *err);
void conf_answers_free(struct conf *c);
bool conf_answer_find(struct conf *c, const char *spec, const char *key, struct conf_credential *out);
void conf_answer_keep(struct conf *c, const char *spec, const char *key, const struct conf_credential *cr, int64_t seconds);
int conf_answer_parse(const struct buf *output, struct conf_credential *out, int64_t *keep_s, struct error *err);
int64_t conf_answers_left(const struct conf *c);	/* seconds that the first of them is still good for; 0: none is kept */

/* ---- regexp.c */
struct conf_regexp;
/* file is for error texts, which show no more of a line than its pattern. */
int conf_regexp_parse(struct span text, const char *file, bool pcre, struct conf_regexp **out, struct error *err);
int conf_regexp_get(const struct conf_regexp *r, const char *key, struct buf *value);	/* 1 or 0 */
void conf_regexp_free(struct conf_regexp *r);

/* ---- credential.c */
/* Whether a file with passwords is kept from others; the commands to type if not. */
int conf_secret_file(struct conf *c, const char *path, const struct stat *st, struct error *err);
/* The words when it can't be opened. */
/* Why there is no credential, when a program that was asked for it ended with this status. */
enum reason conf_credential_reason(int status);
int conf_secret_unreadable(struct conf *c, const char *path, struct error *err);

/* Without the byte-order mark that editors of Windows put in front: nobody sees it. */
struct span conf_without_mark(struct span text);

/* Same file, unchanged? */
bool conf_same_file(const struct stat *a, const struct stat *b);

#endif
