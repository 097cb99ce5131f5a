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
#include "base/text.h"

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
	const char *allowed;	/* T_INT, T_SIZE, T_TIME: "least..greatest"; T_WORD, T_LIST: the words; NULL: anything */
	const char *help;	/* paragraphs parted by "\n\n"; conf_summary is the first sentence */
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
/* Whether main.cf, or a file read through it, has changed on disk since it was loaded. */
bool conf_changed(const struct conf *c);
bool conf_is_set(const struct conf *c, enum conf_param p);	/* written in main.cf */
unsigned conf_line(const struct conf *c, enum conf_param p);	/* 0: default */

/* Values, expanded. Strings belong to c and stay valid until it is freed. Out-of-range or malformed values were
 * refused by conf_load. */
const char *conf_str(struct conf *c, enum conf_param p);
bool conf_bool(struct conf *c, enum conf_param p);
int64_t conf_int(struct conf *c, enum conf_param p);
int64_t conf_seconds(struct conf *c, enum conf_param p);	/* s m h d w; the default's own unit when there is none, as in Postfix */
const char *conf_raw(const struct conf *c, enum conf_param p);
/* Sets a value for this process alone (tests, -o name=value). */
int conf_set(struct conf *c, const char *name, const char *value, struct error *err);

/* Whether authorized_..._users admits a user: names, %groups, static:anyone; ! excludes; the first that fits decides; nobody
 * fits: no. -1: it hangs on a group that can't be known now. */
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
/* The settings of name become comments. */
int conf_comment_out(struct span text, const char *name, struct buf *out, struct error *err);

/* The first sentence of a parameter's help. */
void conf_summary(enum conf_param p, struct buf *out);

/* Sentences about main.cf that are worth a person's attention although nothing stops (a line that looks like a parameter
 * but continues the one above, a name set twice, $name of nothing, both common mistakes with wrappermode, ...): one a
 * line, appended. conf_load has already put down those that it found. No secrets. */
int conf_advice(struct conf *c, struct buf *out);

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

/* ---- relayhost */
struct conf_relay {
	char host[256];		/* without brackets; IPv6 literal without them too */
	char port[32];		/* "587" by default */
	bool mx;		/* no brackets: look MX up */
	bool implicit_tls;	/* 465/smtps/submissions, or wrappermode on other ports */
	char written[300];	/* as in main.cf: key of the password map and of the relay's state */
};
/* One nexthop as written. EX_CONFIG with the line to write instead. */
int conf_parse_relay(struct conf *c, const char *text, struct conf_relay *r, struct error *err);
/* All of relayhost (several in order) and then smtp_fallback_relay. Returns how many (at most max), or -1; 0: none set. */
int conf_relays(struct conf *c, struct conf_relay *r, size_t max, struct error *err);
/* The same, but that none is set is a mistake (EX_CONFIG) where sender_dependent_relayhost_maps isn't either. */
int conf_route(struct conf *c, struct conf_relay *r, size_t max, struct error *err);

/* ---- maps: "type:source" (hash, texthash, btree, lmdb, cdb, dbm: the text source is read; static, inline,
 * regexp, pcre as far as POSIX can say it; exec and oauth2 only for passwords). A list of several is asked in order. */
struct conf_maps;
int conf_maps_open(struct conf *c, enum conf_param p, struct conf_maps **out, struct error *err);	/* *out NULL: no map set */
void conf_maps_free(struct conf_maps *m);	/* wipes */
bool conf_maps_changed(const struct conf_maps *m);
/* The first line of an alias file that is not "name: value", and so has no effect, and its file; 0: there is none. */
unsigned conf_maps_bad_line(const struct conf_maps *m, const char **path);
/* 1: found, appended to value; 0: not there; -1. Key as is. */
int conf_maps_get(struct conf_maps *m, const char *key, struct buf *value, struct error *err);

/* ---- credentials (src/credentials/lookup.c): Postfix's order of keys. */
struct conf_credential {
	struct buf user, secret;	/* wipe with conf_credential_wipe */
	char kind;			/* 'P' password, 'T' OAuth2 access token */
	char digest[72];		/* SHA-256 hex of host, user and secret with a per-queue salt is the caller's affair; here: of host|user|secret */
	char key[300];			/* the key that matched */
};
/* sender for smtp_sender_dependent_authentication ("" otherwise). 1 found; 0 none: *err then holds the keys that were tried
 * (EX_CONFIG); -1: the map can't be read or is readable by others (EX_NOPERM/EX_CONFIG with the commands to type). */
int conf_credential(struct conf *c, const struct conf_relay *r, const char *sender, struct conf_credential *out, struct error *err);
/* The relay refused what conf_credential gave (535): what a program or token endpoint said is not used again, the next
 * conf_credential asks anew. Returns whether that can help (a token, or a program's answer that was kept). */
bool conf_credential_refused(struct conf *c, char kind);
/* Whose credential a sender uses, with smtp_sender_dependent_authentication: the key of the password map that stands there for
 * him (his address, or @domain); his address itself where a program would have to be asked, or the map can't be read; "" where
 * there is nothing, so that he shares the relay's. *keys is the map without its passwords, kept between calls and read again
 * when it has changed: NULL to begin with, freed before c is. The key is in out (LIMIT_ADDRESS + 1). */
void conf_credential_owner(struct conf *c, const char *sender, struct conf_maps **keys, char *out, size_t size);
/* Whether a program or a token endpoint may have to be asked, which takes seconds. */
bool conf_credential_takes_time(struct conf *c);
/* For whoever must not wait: 1, 0, -1 as conf_credential when it can be answered at once; 2: *q was started. Then
 * conf_question_fd is watched for reading, and conf_question_step called: 2 not yet, else as conf_credential. The fd ends by
 * itself when it takes too long. c may be another one by then. conf_question_free at any time; the process that
 * asked is reaped by whoever reaps the caller's children. */
struct conf_question;
int conf_credential_ask(struct conf *c, const struct conf_relay *r, const char *sender, struct conf_credential *out,
			struct conf_question **q, struct error *err);
int conf_question_fd(const struct conf_question *q);
int conf_question_step(struct conf *c, struct conf_question *q, struct conf_credential *out, struct error *err);
void conf_question_free(struct conf_question *q);
/* outpost-token's side of it. */
int conf_question_answer(const char *dir, const char *relay, const char *sender, bool fresh, struct buf *answer);
/* The name of the OAuth2 file of smtp_sasl_password_maps that is for this user (NULL: the first), and its token file. */
int conf_oauth2_file(struct conf *c, const char *user, char *file, size_t fsize, char *tokens, size_t tsize, struct error *err);
/* The n-th (from 0) oauth2: map's token file; "" where its FILE can't be read. False: there are no more. */
bool conf_oauth2_tokens(struct conf *c, size_t n, char *tokens, size_t size);
void conf_credential_wipe(struct conf_credential *cr);

/* Who but root can write main.cf; 0: nobody. */
uid_t conf_writer(const struct conf *c);

/* Once we are who we are going to be: fails unless main.cf is root's or ours. (It may have been the owner's of the queue
 * directory that was there when it was read.) */
int conf_obey(const struct conf *c, struct error *err);

/* Once we are the queue's owner, as outpostd is: fails (EX_NOPERM) when main.cf, which root could read, is closed to us, with
 * what to type. */
int conf_readable(struct conf *c, struct error *err);

/* What `outpost check`, `outpost flush` and postmap do as root: set main.cf and password maps that are root's and 0600 (and a
 * main.cf that holds static: or inline: passwords and is 0644) to root:owner's group 0640, where main.cf is root's. Appends a
 * line per file that was changed to said. */
int conf_mend_modes(struct conf *c, gid_t group, struct buf *said, struct error *err);

#endif
