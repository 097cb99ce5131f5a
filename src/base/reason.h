/*
 * reason.h: why something failed, as a value. The table is reasons.def.
 *
 * A reason is set where the cause is known, and travels in struct error, in the frames of delivery agents and in the
 * rows of the queue to every place that reports it, so that nothing is ever searched for in our own text.
 */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

enum reason {
	REASON_NONE,
#define REASON(id, name, class, exit, dsn, text, hint) REASON_##id,
#include "base/reasons.def"
#undef REASON
	REASONS
};

/* Whom a reason is about, and so what it does to mail. */
enum reason_class {
	CLASS_NONE,
	CLASS_LOCAL,		/* this machine: nothing is held against relay or message */
	CLASS_RECIPIENT,	/* one recipient waits or fails */
	CLASS_MESSAGE,		/* one message waits or fails; others go on */
	CLASS_NETWORK,		/* the relay cannot be reached or understood: it is down and retried */
	CLASS_SLOW,		/* the relay asks for less: it pauses and is retried */
	/* the relay refuses the credential, or there is none: down until an administrator acts */
	CLASS_LOGIN,
	CLASS_ADMIN,		/* the relay is down until an administrator acts, here or there */
};

enum reason_class reason_class(enum reason r);
/* CLASS_LOGIN or CLASS_ADMIN: mail that waits for it does not age. */
bool reason_needs_admin(enum reason r);
int reason_exit(enum reason r);			/* sysexits(3); 0 for REASON_NONE */
const char *reason_dsn(enum reason r);		/* RFC 3463; "" for REASON_NONE */
const char *reason_name(enum reason r);		/* the stable name; "" for REASON_NONE */
const char *reason_text(enum reason r);
const char *reason_hint(enum reason r);		/* "" where there is none */
const char *reason_class_name(enum reason_class c);

/* The reason of this stable name; REASON_NONE for NULL, "" and names of other versions. */
enum reason reason_find(const char *name);
/* The general reason for a program's exit status, where nothing more is known. */
enum reason reason_of_exit(int status);

#endif
