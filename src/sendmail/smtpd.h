/*
 * smtpd.h: sendmail -bs: SMTP on standard input and output, one message after another through the same door.
 */
#ifndef SENDMAIL_SMTPD_H
#define SENDMAIL_SMTPD_H

#include "sendmail/find_queue.h"
#include "sendmail/options.h"

/* Runs until QUIT, the end of the input, a time-out, or too many errors. Returns the exit code. */
int smtpd_run(struct place *p, const struct options *o);

#endif
