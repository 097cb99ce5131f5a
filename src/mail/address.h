/*
 * address.h: lists of addresses as people and programs write them (RFC 5322 3.4 and its obsolete forms): display names,
 * comments, groups, routes, quoted local parts, UTF-8; and what is merely common: ';' between addresses, unquoted '@'
 * in a display name, words separated by blanks alone.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text/text.h"

struct address {
	/* "local@domain", "local", or "" for <>; quoted only where needed. Valid during the call. */
	const char *spec;
	struct span text;	/* where it stands in the input, without angle brackets: what a rewrite replaces */
	struct span name;	/* display name as written; empty: none */
	struct span entry;	/* from the display name to the '>' */
	bool angle;
	bool bare;		/* false: all of it stands in quotes, out of which it was taken */
};

enum {
	ADDRESS_BLANKS = 1,	/* blanks alone separate as well ("root admin"): an argument, not a header */
	ADDRESS_SKIP_BAD = 2,	/* leave out what can't be parsed, and go on */
	ADDRESS_TO = 4,		/* somebody to send to: a domain that no server can have is a mistake */
};

/* Gives every address of the list to `each`; a result of it other than 0 stops and is returned. Empty groups and empty
 * entries give none. -1 with *err (EX_DATAERR, 5.1.3) for what is no address. Line ends count as blanks. */
typedef int (*address_each_fn)(void *arg, const struct address *a, struct error *err);
int address_each(const char *p, size_t n, unsigned flags, address_each_fn each, void *arg, struct error *err);

/* Defines a buffer for one address, on the stack: what does not fit is too long, and never for lack of memory another
 * address. */
enum { ADDRESS_ROOM = LIMIT_ADDRESS * 2 + 1 };
#define ADDRESS_BUF(name) \
	char name##_room[ADDRESS_ROOM]; \
	struct buf name = buf_over(name##_room, sizeof(name##_room))

/* Exactly one address (which may be <>): its spec appended to out. */
int address_one(const char *p, size_t n, struct buf *out, struct error *err);
/* The same for somebody to send to (ADDRESS_TO). */
int address_to(const char *p, size_t n, struct buf *out, struct error *err);

/* Splits a spec at the '@' that is not quoted: the local part as written, and the domain ("" when there is none). */
void address_split(const char *spec, struct span *local, const char **domain);

/* Appends a local part, quoted if it can't stand as it is. */
int address_put_local(struct buf *out, const char *p, size_t n);
/* The other way: the local part without its quotes. */
int address_unquote(struct buf *out, struct span local);

/* Whether the two are one mailbox for us: local parts alike, domains without regard to case. */
bool address_same(const char *a, const char *b);

/* Why a spec may not go into an envelope (control bytes, length, malformed UTF-8, empty parts): -1 with *err. */
int address_check(const char *spec, struct error *err);

#endif
