/*
 * reload.c: main.cf and the maps are read again on SIGHUP, and when they have changed, before a submission, a flush or
 * a probe. A configuration that can't be used leaves the old one in force, and says so once.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { RELOAD_LOOK_MS = 30 * 1000, RELOAD_STORM_MS = 10 };

static void say_unknown(struct outpostd *d)
{
	const struct conf_unused *list;
	size_t n = conf_unused(d->conf, &list);
	char words[600];

	for (size_t i = 0; i < n; i++)
		if (!list[i].postfix)
			log_line(LOG_WARN, "outpostd", 0, "%s/main.cf:%u: %s", d->conf_dir, list[i].line,
				 conf_unused_words(&list[i], words, sizeof(words)));
}

static void apply(struct outpostd *d)
{
	struct error err = {0};
	int64_t window = conf_int(d->conf, P_smtp_pipeline_window);

	/* As many again as may be in flight: an agent must not run dry while verdicts are stored. */
	d->window = window < 2 ? 2 : (size_t)window * 2;
	d->idle_ms = conf_seconds(d->conf, P_agent_idle_time) * 1000;
	say_unknown(d);
	if (relay_routes(d, &err) < 0)
		log_line(LOG_FAIL, "qmgr", 0, "no mail can be sent: %s", err.text);
	else
		relay_leave_behind(d);
}

/* *maillog_file*; without it, or when it cannot be opened, syslog, or stderr in the foreground. */
void reload_log(struct outpostd *d)
{
	const char *file = conf_str(d->conf, P_maillog_file), *name = conf_str(d->conf, P_syslog_name);

	/* Under a service manager too the mail log is syslog's; it goes to stderr where there is none. */
	bool terminal = d->foreground && !d->take_in && !getenv("NOTIFY_SOCKET");
	int why;

	d->on_stderr = false;
	if (*file && log_open(LOG_TO_FILE, name, file) == 0)
		return;
	why = errno;
	d->on_stderr = terminal;
	log_open(terminal ? LOG_TO_STDERR : LOG_TO_SYSLOG, name, NULL);
	if (*file)
		log_line(LOG_WARN, "outpostd", 0, "cannot open maillog_file %s: %s; its lines go to %s", file,
			 strerror(why), terminal ? "standard error" : "syslog");
}

int reload_first(struct outpostd *d, struct error *err)
{
	if (rules_open(d->conf, &d->rules, err) < 0)
		return -1;
	relay_recall(d);
	apply(d);
	return 0;
}

static void refuse(struct outpostd *d, const struct error *err)
{
	if (strcmp(d->conf_error.text, err->text) != 0)
		log_line(LOG_FAIL, "outpostd", 0, "the configuration stays as it was: %s", err->text);
	d->conf_error = *err;
}

void reload_now(struct outpostd *d)
{
	struct credentials *credentials;
	struct error err = {0};
	struct conf *fresh;
	struct rules rules;

	d->reload = d->reload_again = false;
	d->reload_checked = clock_mono_ms();
	if (conf_load(d->conf_dir, &fresh, &err) < 0) {
		refuse(d, &err);
		return;
	}
	if (conf_check_writer(fresh, &err) < 0 || rules_open(fresh, &rules, &err) < 0) {
		conf_free(fresh);
		refuse(d, &err);
		return;
	}
	credentials = credentials_new(fresh);
	if (!credentials) {
		error_set(&err, REASON_SYSTEM, "out of memory");
		rules_close(&rules);
		conf_free(fresh);
		refuse(d, &err);
		return;
	}
	rules_close(&d->rules);
	credentials_free(d->credentials);
	conf_free(d->conf);
	d->conf = fresh;
	d->credentials = credentials;
	d->rules = rules;
	d->conf_error.reason = REASON_NONE;
	d->conf_error.text[0] = '\0';
	log_line(LOG_INFORMATION, "outpostd", 0, "the configuration was read again");
	apply(d);
	relay_changed(d, true);
	listener_reload(d);
	agents_stop(d, false); /* the next ones get the new session */
	schedule_reset(d);
}

deadline reload_deadline(struct outpostd *d)
{
	if (d->reload_again)
		return d->reload_checked + RELOAD_STORM_MS;
	return relay_needs_hands(d) && schedule_waits(d) ? d->reload_checked + RELOAD_LOOK_MS : DEADLINE_NEVER;
}

void reload_tick(struct outpostd *d)
{
	if (d->reload)
		reload_now(d);
	else if (deadline_over(reload_deadline(d)))
		reload_if_changed(d);
}

/* What main.cf says may be right, and the relay's state only could not be read from the queue when it was asked for. */
static void route_again(struct outpostd *d)
{
	struct error err = {0};

	if (!d->route_error.reason || relay_routes(d, &err) < 0)
		return;
	log_line(LOG_INFORMATION, "qmgr", 0, "mail can be sent again");
	schedule_reset(d);
}

/* A few stat calls; not for each of a storm of submissions, but soon enough that nobody who edits main.cf and sends a
 * message then sees it go out by the old one. What was changed since a look just now is seen when the next is due. */
void reload_if_changed(struct outpostd *d)
{
	int64_t now = clock_mono_ms();

	d->reload_again = now - d->reload_checked < RELOAD_STORM_MS;
	if (d->reload_again)
		return;
	d->reload_checked = now;
	if (conf_changed(d->conf) || rules_changed(&d->rules)) {
		reload_now(d);
		return;
	}
	route_again(d);
	relay_changed(d, false);
}
