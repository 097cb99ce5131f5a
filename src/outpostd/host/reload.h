/* reload.h: main.cf and the maps are read again on SIGHUP, and when they have changed, before a submission, a flush
 * or a probe. */
#ifndef OUTPOSTD_RELOAD_H
#define OUTPOSTD_RELOAD_H

#include "outpostd/parts.h"

struct reload {
	bool asked;		/* SIGHUP */
	bool again;		/* a check was put off */
	int64_t checked;	/* mono ms: the last one */
	bool log_on_stderr;
	struct error error;	/* of the last reload; REASON_NONE: none */
};

int reload_first(struct outpostd *d, struct error *err);
void reload_ask(struct outpostd *d);		/* in this turn of the loop */
void reload_now(struct outpostd *d);
void reload_if_changed(struct outpostd *d);
/* A check that was put off; others while an administrator has something to fix. */
deadline reload_deadline(struct outpostd *d);
void reload_tick(struct outpostd *d);
const struct error *reload_error(const struct outpostd *d);	/* why the configuration stays as it was, or NULL */
/* maillog_file; without it, or when it cannot be opened, syslog, or standard error in the foreground. */
void reload_log(struct outpostd *d);
bool reload_log_on_stderr(const struct outpostd *d);

#endif
