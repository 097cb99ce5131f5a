/* import.h: from another program's configuration to main.cf and sasl_passwd. */
#ifndef OUTPOST_IMPORT_H
#define OUTPOST_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text/text.h"
#include "conf/conf.h"

enum { IMPORT_FILES = 17, IMPORT_RELAYS = 16 };

/* main.cf, or a map that goes beside it. */
struct import_file {
	char name[128];
	struct buf text;
	bool secret;		/* shown masked, written 0600 */
};

struct import {
	const char *dir;	/* where the new files go */
	struct import_file files[IMPORT_FILES];	/* the first is main.cf */
	size_t nfiles;
	struct buf *main_cf;	/* lines of it */
	struct buf notes;	/* sentences for the person, one a line */
};

/* One per program: fills *im from path. */
typedef int (*import_reader)(struct import *im, const char *path, struct error *err);
int import_postfix(struct import *im, const char *path, struct error *err);
int import_msmtp(struct import *im, const char *path, struct error *err);
int import_nullmailer(struct import *im, const char *path, struct error *err);
int import_dma(struct import *im, const char *path, struct error *err);
int import_ssmtp(struct import *im, const char *path, struct error *err);

/* ---- what the readers share: import_common.c */

/* Gives each line of a file to each: trimmed, without those that are empty or begin with '#'. */
int import_lines(const char *path, void (*each)(void *arg, struct span line), void *arg, struct error *err);
/* "NAME VALUE" or "NAME=VALUE", parted at the first of these separators; without one the value is empty. */
void import_split(struct span line, const char *separators, struct span *name, struct span *value);
/* Without the quotes, one of these kinds, that stand around it. */
struct span import_unquote(struct span s, const char *quotes);

/* Where a value of this name goes: a text of `size` at `offset` of a struct, or with size 0 a bool, which only "no"
 * and "off" make false. A NULL name ends a table. */
struct import_field {
	const char *name;
	size_t offset, size;
};
#define IMPORT_TEXT(type, name, member) {name, offsetof(type, member), sizeof(((type *)NULL)->member)}
#define IMPORT_FLAG(type, name, member) {name, offsetof(type, member), 0}
#define IMPORT_END {NULL, 0, 0}
/* Stores the value by the table; an unknown name is ignored, the case of names does not matter. */
void import_store(struct import *im, const struct import_field *table, void *base, struct span name, struct span value);
/* A span into a fixed array; too long is cut and noted. */
void import_copy(struct import *im, char *out, size_t size, struct span s);

/* "name = value", with every $ of the value doubled. An empty value adds nothing. */
void import_set(struct import *im, const char *name, const char *value);
/* "name = type:DIR/file" */
void import_set_map(struct import *im, const char *name, const char *type, const char *file);
void import_note(struct import *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of the file of this name, made when it is not there yet. Never NULL: what is too much goes nowhere, with a
 * note. */
struct buf *import_file(struct import *im, const char *name, bool secret);

/* What the simple programs know of a relay. Strings may be empty: of port that means the usual one. */
struct import_relay {
	char host[256], port[32], user[256], password[1024], ca_file[1024], fingerprint[256];
	bool tls, implicit_tls, unverified;
};
/* relayhost, login and TLS, and the lines for sasl_passwd; the relays are tried in this order. */
void import_relays(struct import *im, const struct import_relay *list, size_t n);
/* "[host]:port", the key of a relay. */
void import_key(const struct import_relay *r, char *out, size_t size);

#endif
