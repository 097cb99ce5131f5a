/* context.c: what nearly every subcommand does first: configuration, rights, queue, the running outpostd. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/files/trust.h"
#include "base/process/proc.h"
#include "base/text/text.h"
#include "control/control.h"
#include "outpost/command.h"
#include "outpost/flusher/start_outpostd.h"

enum { CHANGE_PATIENCE_MS = 10000 };

int fail(const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "outpost: %s\n", err->text);
	return err->reason ? error_exit(err) : EX_SOFTWARE;
}

int fail_usage(const struct context *c, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("outpost: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see `outpost %s --help`)\n", c->command->name);
	return EX_USAGE;
}

int context_settle(const struct context *c, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/main.cf", c->dir) >= (int)sizeof(path))
		return error_set(err, REASON_USAGE, "the name of the configuration directory is too long");
	return trust_become(path, err);
}

void context_free(struct context *c)
{
	credentials_free(c->credentials);
	conf_free(c->conf);
	c->credentials = NULL;
	c->conf = NULL;
}

int context_conf(struct context *c, struct error *err)
{
	if (!c->conf && context_settle(c, err) < 0)
		return -1;
	if (c->conf || conf_load(c->dir, &c->conf, err) == 0)
		return 0;
	if (error_exit(err) == EX_NOINPUT && c->command != &command_check)
		error_set(err, REASON_NO_INPUT, "there is no %s/main.cf; `outpost check` says what to write into it",
			  c->dir);
	return -1;
}

bool context_queue_is_foreign(struct context *c, const struct stat *queue, char *owner, size_t size)
{
	struct stat helper;
	struct passwd *p;

	if (c->own || strcmp(conf_str(c->conf, P_queue_directory), QUEUEDIR) != 0 ||
	    stat(HELPERDIR "/outpost-drop", &helper) < 0 || helper.st_uid == 0 || helper.st_uid == queue->st_uid)
		return false;
	p = getpwuid(helper.st_uid);
	snprintf(owner, size, "%s", p ? p->pw_name : OWNER);
	if (p && strcmp(owner, conf_str(c->conf, P_mail_owner)) == 0)
		return true;
	return queue->st_uid == 0 && (helper.st_mode & 06111) == 06111;
}

int context_become(struct context *c, struct error *err)
{
	char owner[LOGIN_NAME_MAX];
	struct stat st;

	if (context_conf(c, err) < 0)
		return -1;
	if (stat(conf_str(c->conf, P_queue_directory), &st) < 0) {
		/* A queue of one's own is made on first use, by whoever uses it. */
		if (c->own && errno == ENOENT)
			return 0;
	} else if (st.st_uid == 0 && context_queue_is_foreign(c, &st, owner, sizeof(owner))) {
		return error_set(err, REASON_CONFIG,
				 "queue directory %s belongs to root, not to %s; type: chown -R %s:%s %s", QUEUEDIR,
				 owner, owner, owner, QUEUEDIR);
	}
	if (trust_become_owner(conf_str(c->conf, P_queue_directory), &c->owner, err) < 0) {
		size_t n = strlen(err->text);

		if (error_exit(err) == EX_NOPERM && !c->own)
			snprintf(err->text + n, sizeof(err->text) - n, "; what you sent yourself is shown by mailq");
		return -1;
	}
	return conf_check_writer(c->conf, err);
}

int context_fix_modes(struct context *c, struct error *err)
{
	char owner[LOGIN_NAME_MAX];
	struct stat st;
	struct buf said;
	int rc;

	if (context_conf(c, err) < 0)
		return -1;
	if (geteuid() != 0 || stat(conf_str(c->conf, P_queue_directory), &st) < 0 || st.st_uid == 0 ||
	    context_queue_is_foreign(c, &st, owner, sizeof(owner)))
		return 0;
	buf_init(&said, 64 << 10);
	rc = credentials_fix_modes(c->conf, st.st_gid, &said, err);
	fputs(buf_str(&said), stdout);
	buf_free(&said);
	return rc;
}

int context_credential(struct context *c, const struct relayhost *r, const char *sender, struct credential *out,
		       struct error *err)
{
	if (!c->credentials)
		c->credentials = credentials_new(c->conf);
	if (!c->credentials)
		return error_set(err, REASON_SYSTEM, "out of memory");
	return credentials_wait(c->credentials, r, sender, out, err);
}

/* A queue directory without a database: nothing was ever sent. */
static bool queue_is_there(const char *dir)
{
	char path[4096];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/queue.db", dir);

	return n > 0 && (size_t)n < sizeof(path) && (stat(path, &st) == 0 || errno != ENOENT);
}

int context_read_queue(struct context *c, struct queue **q, struct error *err)
{
	const char *dir;

	*q = NULL;
	if (context_become(c, err) < 0)
		return -1;
	start_take_in(c);
	dir = conf_str(c->conf, P_queue_directory);
	return queue_is_there(dir) ? queue_open(dir, QUEUE_READ, q, err) : 0;
}

int context_admin_path(struct context *c, char *out, size_t size, struct error *err)
{
	int n = snprintf(out, size, "%s/admin", conf_str(c->conf, P_queue_directory));

	if (n < 0 || (size_t)n >= size)
		return error_set(err, REASON_CONFIG, "queue_directory is too long");
	return 0;
}

int context_ask(struct context *c, const char *const *words, size_t n, const struct control_sink *sink,
		int64_t patience_ms, struct error *answer)
{
	struct error err = {0};
	char path[4096];
	int rc;

	if (context_admin_path(c, path, sizeof(path), answer) < 0)
		return error_exit(answer);
	rc = control_ask(path, words, n, sink, deadline_in_ms(patience_ms), answer, &err);
	if (rc >= 0)
		return rc;
	*answer = err;
	return error_exit(&err) == EX_UNAVAILABLE ? -1 : error_exit(&err);
}

/* Under the lock nobody else writes: find the whole id, change it, report the result. */
static int change_locked(const char *dir, const char *verb, const char *id, queue_change change, struct error *answer)
{
	char full[QUEUE_ID];
	struct queue *q = NULL;
	int64_t row;
	int rc = 0;

	if (queue_is_there(dir) && queue_open(dir, QUEUE_WRITE, &q, answer) < 0)
		return error_exit(answer);
	if (q)
		rc = queue_find(q, id, true, &row, full, answer);
	if (rc == 0)
		error_set(answer, REASON_DATA, "no message %s in the queue (ids are given whole here)", id);
	if (rc == 1) {
		rc = change(q, row, clock_wall_us(), answer);
		if (rc == 1)
			error_set(answer, REASON_NONE, "%s: %s done", id, verb);
		else if (rc == 0)
			error_set(answer, REASON_DATA, "%s: not in a state that allows %s", id, verb);
	}
	queue_close(q);
	return error_exit(answer);
}

/* A flusher that is starting or leaving neither listens nor lets go of the lock at once: ask, try the lock, ask
 * again. */
int context_change(struct context *c, const char *verb, const char *id, queue_change change, struct error *answer)
{
	const char *words[2] = {verb, id}, *dir = conf_str(c->conf, P_queue_directory);
	deadline until = deadline_in_ms(CHANGE_PATIENCE_MS);

	start_take_in(c);
	for (;;) {
		int rc = context_ask(c, words, 2, NULL, CONTEXT_PATIENCE_MS, answer), lock;

		if (rc >= 0)
			return rc;
		lock = queue_lock(dir, 200, answer);
		if (lock >= 0) {
			*answer = (struct error){0};
			rc = change_locked(dir, verb, id, change, answer);
			close(lock);
			return rc;
		}
		if (error_exit(answer) != EX_TEMPFAIL || deadline_over(until))
			return error_exit(answer);
	}
}
