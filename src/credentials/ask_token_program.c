/*
 * A credential that takes time (exec:, oauth2:) without waiting for it here: outpost-token asks, in a process of its
 * own, and writes its answer to a pipe. Whoever has a poll loop watches that pipe. What may be kept of an answer is
 * kept in memory.
 */
#include "config.h"
#include "credentials/internal.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENV_MAX = 16, KEPT_MAX = 64, ANSWER_MAX = 4 * LIMIT_SECRET };

struct kept {
	char *about;			/* relay and sender */
	struct credential credential;
	int64_t until;			/* clock_mono_ms */
};

struct credentials {
	struct conf *conf;
	struct maps *keys;		/* whose credentials there are, without their passwords */
	struct kept *kept;
	size_t nkept;
	bool refused;			/* the relay refused a token: the next one must be new */
};

struct credentials *credentials_new(struct conf *c)
{
	struct credentials *cs = calloc(1, sizeof(*cs));

	if (cs)
		cs->conf = c;
	return cs;
}

/* ---- what is kept */

static void forget_all(struct credentials *cs)
{
	for (size_t i = 0; i < cs->nkept; i++) {
		credential_wipe(&cs->kept[i].credential);
		free(cs->kept[i].about);
	}
	free(cs->kept);
	cs->kept = NULL;
	cs->nkept = 0;
}

void credentials_free(struct credentials *cs)
{
	if (!cs)
		return;
	forget_all(cs);
	maps_free(cs->keys);
	free(cs);
}

static void copy(struct credential *to, const struct credential *from)
{
	credential_init(to);
	buf_add(&to->user, buf_str(&from->user), from->user.len);
	buf_add(&to->secret, buf_str(&from->secret), from->secret.len);
	to->kind = from->kind;
	memcpy(to->key, from->key, sizeof(to->key));
	memcpy(to->digest, from->digest, sizeof(to->digest));
}

static char *about(const struct relayhost *r, const char *sender)
{
	char *text = NULL;

	return asprintf(&text, "%s %s", r->written, sender) < 0 ? NULL : text;
}

static void keep(struct credentials *cs, const struct relayhost *r, const char *sender, const struct credential *cr,
		 int64_t seconds)
{
	struct kept *more, *k;

	if (seconds <= 0)
		return;
	if (cs->nkept >= KEPT_MAX)
		forget_all(cs);
	more = realloc(cs->kept, (cs->nkept + 1) * sizeof(*more));
	if (!more)
		return;
	cs->kept = more;
	k = &more[cs->nkept];
	k->about = about(r, sender);
	k->until = clock_mono_ms() + seconds * 1000;
	copy(&k->credential, cr);
	if (k->about && buf_ok(&k->credential.user) && buf_ok(&k->credential.secret)) {
		cs->nkept++;
		return;
	}
	credential_wipe(&k->credential);
	free(k->about);
}

static bool find_kept(const struct credentials *cs, const struct relayhost *r, const char *sender,
		      struct credential *out)
{
	char *key = about(r, sender);
	bool found = false;

	for (size_t i = 0; key && i < cs->nkept && !found; i++) {
		found = strcmp(cs->kept[i].about, key) == 0 && cs->kept[i].until > clock_mono_ms();
		if (found)
			copy(out, &cs->kept[i].credential);
	}
	free(key);
	return found;
}

bool credentials_refused(struct credentials *cs, char kind)
{
	bool kept = cs->nkept > 0;

	forget_all(cs);
	cs->refused = kind == 'T';
	return kept || cs->refused;
}

void credentials_owner(struct credentials *cs, const char *sender, char *out, size_t size)
{
	credential_owner(cs->conf, &cs->keys, sender, out, size);
}

/* ---- asking */

static bool takes_time(struct conf *c)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps)), one, source;
	enum map_kind kind;

	while (list_next(&rest, &one))
		if (map_split(one, &kind, &source) && (kind == MAP_EXEC || kind == MAP_OAUTH2))
			return true;
	return false;
}

int credentials_find(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		     struct error *err)
{
	int64_t keep_s;

	if (!takes_time(cs->conf))
		return credentials_fetch(cs->conf, r, sender, NULL, NULL, out, &keep_s, err);
	return !cs->refused && find_kept(cs, r, sender, out) ? 1 : CREDENTIAL_NOT_YET;
}

struct credential_question {
	pid_t pid;
	int fd;
	struct relayhost relay;
	char sender[LIMIT_ADDRESS + 1];
	struct buf output;
};

int credential_question_fd(const struct credential_question *q)
{
	return q->fd;
}

void credential_question_free(struct credential_question *q)
{
	if (!q)
		return;
	/* One that hangs in a file system does not even die at once: it is not waited for. */
	if (q->pid > 0 && waitpid(q->pid, NULL, WNOHANG) == 0)
		kill(q->pid, SIGKILL);
	if (q->fd >= 0)
		close(q->fd);
	buf_wipe(&q->output);
	free(q);
}

struct question_env {
	char relay[sizeof(((struct relayhost *)0)->written) + 32], sender[LIMIT_ADDRESS + 32];
	char credentials[PATH_MAX + 40];
	char *list[ENV_MAX];
};

/* What every child gets, where the service manager's credentials are, and what is asked: arguments would be for all to
 * see. */
static void fill_env(struct question_env *env, const struct credential_question *q)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *const *given = step_env();
	size_t n = 0;

	while (given[n] && n < ENV_MAX - 4) {
		env->list[n] = given[n];
		n++;
	}
	snprintf(env->relay, sizeof(env->relay), "OUTPOST_TOKEN_RELAY=%s", q->relay.written);
	snprintf(env->sender, sizeof(env->sender), "OUTPOST_TOKEN_SENDER=%s", q->sender);
	env->list[n++] = env->relay;
	env->list[n++] = env->sender;
	if (dir && snprintf(env->credentials, sizeof(env->credentials), "CREDENTIALS_DIRECTORY=%s", dir) <
			   (int)sizeof(env->credentials))
		env->list[n++] = env->credentials;
	env->list[n] = NULL;
}

static int start(const struct credentials *cs, struct credential_question *q, struct error *err)
{
	char path[PATH_MAX], verb[] = "credential", fresh[] = "-f";
	char *argv[5];
	struct question_env env;
	struct proc_fd fds[2] = {{-1, 1}, {2, 2}};
	struct proc_spec spec = {
		.path = path, .argv = argv, .env = env.list, .fds = fds, .nfds = 2, .die_with_parent = true};
	int ends[2], n = 0;

	if (!io_program_path("outpost-token", HELPERDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpost-token is too long");
	fill_env(&env, q);
	argv[n++] = path;
	argv[n++] = verb;
	if (cs->refused)
		argv[n++] = fresh;
	argv[n++] = (char *)(uintptr_t)conf_dir(cs->conf);
	argv[n] = NULL;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	fcntl(ends[1], F_SETFL, 0);
	fds[0].from = ends[1];
	q->pid = proc_start(&spec, err);
	close(ends[1]);
	q->fd = ends[0];
	return q->pid < 0 ? -1 : 0;
}

int credentials_ask(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		    struct credential_question **question, struct error *err)
{
	struct credential_question *q;
	int rc = credentials_find(cs, r, sender, out, err);

	if (rc != CREDENTIAL_NOT_YET)
		return rc;
	q = calloc(1, sizeof(*q));
	if (!q)
		return error_set(err, REASON_SYSTEM, "out of memory");
	q->fd = -1;
	q->relay = *r;
	snprintf(q->sender, sizeof(q->sender), "%s", sender);
	buf_init(&q->output, ANSWER_MAX);
	if (start(cs, q, err) < 0) {
		credential_question_free(q);
		return -1;
	}
	*question = q;
	return CREDENTIAL_NOT_YET;
}

/* Up to the end of the output: false when there is more to come. */
static bool read_output(struct credential_question *q)
{
	for (;;) {
		char piece[4096];
		ssize_t n = io_read(q->fd, piece, sizeof(piece));

		if (n > 0)
			buf_add(&q->output, piece, (size_t)n);
		explicit_bzero(piece, sizeof(piece));
		if (n <= 0)
			return !(n < 0 && errno == EAGAIN);
	}
}

int credential_question_step(struct credentials *cs, struct credential_question *q, struct credential *out,
			     struct error *err)
{
	int64_t keep_s = 0;
	int rc;

	if (!read_output(q))
		return CREDENTIAL_NOT_YET;
	credential_init(out);
	rc = credential_read_answer((struct span){buf_str(&q->output), q->output.len}, out, &keep_s, err);
	if (rc <= 0) {
		credential_wipe(out);
		return rc;
	}
	cs->refused = false;
	credential_put_digest(out, &q->relay);
	keep(cs, &q->relay, q->sender, out, keep_s);
	return 1;
}

int credentials_wait(struct credentials *cs, const struct relayhost *r, const char *sender, struct credential *out,
		     struct error *err)
{
	struct credential_question *q = NULL;
	deadline until = deadline_in_ms(1000 * (2 * conf_seconds(cs->conf, P_sasl_exec_timeout) + 10));
	int rc = credentials_ask(cs, r, sender, out, &q, err);

	while (q && rc == CREDENTIAL_NOT_YET) {
		if (io_wait(q->fd, POLLIN, until) == 0)
			rc = error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "asking for the password took too long");
		else
			rc = credential_question_step(cs, q, out, err);
	}
	credential_question_free(q);
	return rc;
}
