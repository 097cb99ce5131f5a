/* reload.c: a configuration that cannot be used leaves the old one in force, which is logged once. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/files/trust.h"

enum { RELOAD_LOOK_MS = 30 * 1000, RELOAD_STORM_MS = 10 };

static void warn_unknown(struct outpostd *d)
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
	d->rules.r.include = lists_include;
	d->rules.r.include_arg = d;
	agents_configure(d);
	warn_unknown(d);
	relays_configure(d);
}

/* A link in a directory of the queue's owner would have root append to any file. */
bool reload_log_is_roots(const struct outpostd *d)
{
	const char *file = conf_str(d->conf, P_maillog_file);
	struct error ignored;
	uid_t uid;
	gid_t gid;

	if (conf_writer(d->conf) != 0)
		return false;
	if (!*file || strcmp(file, "/dev/stdout") == 0 || strcmp(file, "/dev/stderr") == 0)
		return true;
	return trust_walk(file, &uid, &gid, &ignored) == 0 && uid == 0;
}

void reload_log(struct outpostd *d)
{
	const char *file = conf_str(d->conf, P_maillog_file), *name = conf_str(d->conf, P_syslog_name);

	/* Under a service manager too the mail log is syslog's; it goes to stderr where there is none. */
	bool terminal = d->foreground && !d->take_in && !getenv("NOTIFY_SOCKET");
	int why;

	d->reload.log_on_stderr = false;
	if (*file && log_open(LOG_TO_FILE, name, file) == 0)
		return;
	why = errno;
	d->reload.log_on_stderr = terminal;
	log_open(terminal ? LOG_TO_STDERR : LOG_TO_SYSLOG, name, NULL);
	if (*file)
		log_line(LOG_WARN, "outpostd", 0, "cannot open maillog_file %s: %s; its lines go to %s", file,
			 strerror(why),
			 terminal ? "standard error" : "syslog");
}

int reload_first(struct outpostd *d, struct error *err)
{
	if (rules_open(d->conf, &d->rules, err) < 0)
		return -1;
	relays_recall(d);
	apply(d);
	return 0;
}

static void refuse(struct outpostd *d, const struct error *err)
{
	if (strcmp(d->reload.error.text, err->text) != 0)
		log_line(LOG_FAIL, "outpostd", 0, "the configuration stays as it was: %s", err->text);
	d->reload.error = *err;
}

/* What is made of a configuration before it takes the place of the one that is in force. */
struct fresh {
	struct conf *conf;
	struct credentials *credentials;
	struct rules rules;
};

static int read_fresh(const char *dir, struct fresh *f, struct error *err)
{
	*f = (struct fresh){0};
	if (conf_load(dir, &f->conf, err) < 0)
		return -1;
	f->credentials = credentials_new(f->conf);
	if (!f->credentials)
		error_set(err, REASON_SYSTEM, "out of memory");
	else if (conf_check_writer(f->conf, err) == 0 && rules_open(f->conf, &f->rules, err) == 0)
		return 0;
	credentials_free(f->credentials);
	conf_free(f->conf);
	return -1;
}

static void reload_now(struct outpostd *d)
{
	struct error err = {0};
	struct fresh f;

	d->reload.asked = d->reload.again = false;
	d->reload.checked = clock_mono_ms();
	if (read_fresh(d->conf_dir, &f, &err) < 0) {
		refuse(d, &err);
		return;
	}
	rules_close(&d->rules);
	credentials_free(d->credentials);
	conf_free(d->conf);
	d->conf = f.conf;
	d->credentials = f.credentials;
	d->rules = f.rules;
	d->reload.error = (struct error){0};
	log_line(LOG_INFORMATION, "outpostd", 0, "the configuration was read again");
	apply(d);
	relays_recheck(d, true);
	listener_reload(d);
	agents_stop(d, false); /* the next ones get the new session */
	schedule_reset(d);
}

void reload_ask(struct outpostd *d)
{
	d->reload.asked = true;
}

const struct error *reload_error(const struct outpostd *d)
{
	return d->reload.error.reason ? &d->reload.error : NULL;
}

deadline reload_deadline(struct outpostd *d)
{
	if (d->reload.again)
		return d->reload.checked + RELOAD_STORM_MS;
	return relays_need_admin(d) && !schedule_empty(d) ? d->reload.checked + RELOAD_LOOK_MS : DEADLINE_NEVER;
}

void reload_tick(struct outpostd *d)
{
	if (d->reload.asked)
		reload_now(d);
	else if (deadline_over(reload_deadline(d)))
		reload_if_changed(d);
}

/* A few stat calls; not for each of a storm of submissions, but soon enough that a message which is sent after an
 * edit of main.cf never goes by the old one. What was changed since a check just now is seen when the next is due. */
void reload_if_changed(struct outpostd *d)
{
	int64_t now = clock_mono_ms();

	d->reload.again = now - d->reload.checked < RELOAD_STORM_MS;
	if (d->reload.again)
		return;
	d->reload.checked = now;
	if (conf_changed(d->conf) || rules_changed(&d->rules)) {
		reload_now(d);
		return;
	}
	relays_configure_again(d);
	relays_recheck(d, false);
}
