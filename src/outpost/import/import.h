/* import.h: from another program's configuration to main.cf and sasl_passwd. */
#ifndef OUTPOST_IMPORT_H
#define OUTPOST_IMPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "conf/conf.h"

enum { IMPORT_FILES = 16, IMPORT_RELAYS = 16 };

/* A map that goes beside main.cf. */
struct import_file {
	char name[128];
	struct buf text;
	bool secret;		/* shown masked, written 0600 */
};

struct import {
	const char *dir;	/* where the new files go */
	struct buf main_cf;	/* lines of it */
	struct import_file files[IMPORT_FILES];
	size_t nfiles;
	struct buf notes;	/* sentences for the person, one a line */
};

/* One per program: fills *im from path. */
typedef int (*import_reader)(struct import *im, const char *path, struct error *err);
int import_postfix(struct import *im, const char *path, struct error *err);
int import_msmtp(struct import *im, const char *path, struct error *err);
int import_nullmailer(struct import *im, const char *path, struct error *err);
int import_dma(struct import *im, const char *path, struct error *err);
int import_ssmtp(struct import *im, const char *path, struct error *err);

/* ---- for the readers */

/* "name = value", with every $ of the value doubled. An empty value adds nothing. */
void import_set(struct import *im, const char *name, const char *value);
void import_note(struct import *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of the file of this name, made when it is not there yet. Never NULL: what is too much goes nowhere, with a note. */
struct buf *import_file(struct import *im, const char *name, bool secret);

/* What the simple programs know of a relay. Strings may be empty. */
struct import_relay {
	char host[256], port[32], user[256], password[1024], ca_file[1024], fingerprint[256];
	bool tls, implicit_tls, unverified;
};
/* relayhost, login and TLS, and the lines for sasl_passwd; the relays are tried in this order. */
void import_relays(struct import *im, const struct import_relay *list, size_t n);
/* "[host]:port", the key of a relay. */
void import_key(const struct import_relay *r, char *out, size_t size);

/* Reads a file and gives each line (trimmed, without those that are empty or begin with '#') to each. */
int import_lines(const char *path, int (*each)(void *arg, struct span line, struct error *err), void *arg, struct error *err);
/* A span into a fixed array; too long is cut and noted. */
void import_copy(struct import *im, char *out, size_t size, struct span s);

#endif
