/*
 * ask.h: the modes of sendmail that ask a question. None of them ever sends mail.
 */
#ifndef SENDMAIL_ASK_H
#define SENDMAIL_ASK_H

#include "sendmail/options.h"
#include "sendmail/place.h"

/* Each returns the exit code, and has said what there is to say. */
int ask_list(struct place *p, const struct options *o);		/* -bp, mailq */
int ask_flush(struct place *p, const struct options *o);	/* -q */
int ask_aliases(struct place *p);				/* -bi, newaliases */
int ask_verify(struct place *p, const struct options *o);	/* -bv */
int ask_check(struct place *p);					/* -bC */
/* Modes that there is no use for here: a plain line why. */
int ask_nothing(const struct options *o);

#endif
