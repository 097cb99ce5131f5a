/*
 * options.h: argv of sendmail, mailq and newaliases, from one table: every option that Postfix's sendmail(1) and
 * Sendmail 8's manual have is there, and works or has no effect; anything else is EX_USAGE.
 */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum mode {
	MODE_SUBMIT,		/* -bm */
	MODE_SMTP,		/* -bs */
	MODE_LIST,		/* -bp, mailq */
	MODE_COUNT,		/* -bP */
	MODE_ALIASES,		/* -bi, -I, newaliases */
	MODE_VERIFY,		/* -bv */
	MODE_TEST,		/* -bt */
	MODE_DAEMON,		/* -bd, -bD, -bl */
	MODE_HOSTS,		/* -bh, -bH */
	MODE_CHECK,		/* -bC */
	MODE_FLUSH,		/* -q */
	MODE_VERSION,		/* -d0 */
	MODE_QUARANTINE,	/* -Q */
	MODE_HELP,		/* --help */
};

struct options {
	enum mode mode;
	const char *config;	/* -C; NULL: not given */
	const char *sender;	/* -f, -r: the last one; NULL: not given */
	const char *full_name;	/* -F */
	const char *envid;	/* -V */
	unsigned notify;	/* -N: DSN_* */
	char ret;		/* -R: 'F', 'H', 0 */
	char body;		/* -B: '7', '8', 0 */
	bool extract;		/* -t */
	bool ignore_dots;	/* -i, -oi */
	bool queue_only;	/* -odq */
	bool verbose;		/* -v */
	bool sandbox;		/* --sandbox: outpostd's listener calls; nothing but the door may be reached */
	bool probe;		/* --sandbox-probe: only whether that works here */
	bool json;		/* -j, mailq only */
	/* MODE_FLUSH: 0 all; 'I' id, 'R' recipient, 'S' sender holds flush_arg; 'T' interval, 'G' group */
	char flush;
	bool flush_not;		/* -q!...: those that do not */
	const char *flush_arg;
	const char **recipients;	/* points into argv; freed by the caller */
	size_t nrecipients;
};

/* -1 with *err (EX_USAGE). */
int options_parse(struct options *o, int argc, char **argv, struct error *err);

#endif
