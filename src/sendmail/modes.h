/*
 * modes.h: the modes of sendmail that ask a question. None of them ever sends mail.
 */
#ifndef SENDMAIL_MODES_H
#define SENDMAIL_MODES_H

#include "sendmail/find_queue.h"
#include "sendmail/options.h"

/* Each returns the exit code, and has said what there is to say. */
int ask_list(struct place *p, const struct options *o);		/* -bp, mailq */
int ask_flush(struct place *p, const struct options *o);	/* -q */
int ask_aliases(struct place *p);				/* -bi, newaliases */
int ask_verify(struct place *p, const struct options *o);	/* -bv */
int ask_check(struct place *p);					/* -bC */
/* Modes that there is no use for here: a plain line why. */
int ask_nothing(const struct options *o);

/* Writes the error to standard error: its exit code. */
int mode_complain(const struct error *err);

#endif
