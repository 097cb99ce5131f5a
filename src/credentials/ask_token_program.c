/*
 * A credential that takes time (exec:, oauth2:) without waiting for it here: outpost-token asks, in a process of its own,
 * and writes "status=CODE" and then the answer or "text=" and the reason. Whoever has a poll loop watches its output.
 */
#include "config.h"
#include "conf/internal.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if ENABLE_OAUTH2
enum { HAVE_TOKEN_PROGRAM = true };
#else
enum { HAVE_TOKEN_PROGRAM = false };
#endif

struct conf_question {
	pid_t pid;
	int fd;
	struct conf_relay relay;
	char sender[LIMIT_ADDRESS + 1];
	struct buf output;
};

bool conf_credential_takes_time(struct conf *c)
{
	struct span rest = span_of(conf_str(c, P_smtp_sasl_password_maps)), one;

	while (conf_list_next(&rest, &one))
		if (conf_map_is_program(one))
			return true;
	return false;
}

int conf_question_fd(const struct conf_question *q)
{
	return q->fd;
}

void conf_question_free(struct conf_question *q)
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

enum { ENV_MAX = 8 };

/* What every child gets, and where the service manager's credentials are. */
static void fill_env(char **env, char *credentials, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *const *given = step_env();
	size_t n = 0;

	while (given[n] && n < ENV_MAX - 2) {
		env[n] = given[n];
		n++;
	}
	if (dir && snprintf(credentials, size, "CREDENTIALS_DIRECTORY=%s", dir) < (int)size)
		env[n++] = credentials;
	env[n] = NULL;
}

static int start(struct conf *c, struct conf_question *q, struct error *err)
{
	char path[PATH_MAX], verb[] = "credential", fresh[] = "-f", credentials[PATH_MAX + 40];
	char *argv[7], *env[ENV_MAX];
	struct proc_fd fds[2] = {{-1, 1}, {2, 2}};
	struct proc_spec spec = {.path = path, .argv = argv, .env = env, .fds = fds, .nfds = 2, .die_with_parent = true};
	int ends[2], n = 0;

	if (!io_program_path("outpost-token", HELPERDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpost-token is too long");
	fill_env(env, credentials, sizeof(credentials));
	argv[n++] = path;
	argv[n++] = verb;
	if (c->refused)
		argv[n++] = fresh;
	argv[n++] = c->dir;
	argv[n++] = q->relay.written;
	argv[n++] = q->sender;
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

static void kept_under(const struct conf_relay *r, const char *sender, char *spec, size_t size)
{
	snprintf(spec, size, "relay %s %s", r->written, sender);
}

static bool answer_is_kept(struct conf *c, const struct conf_relay *r, const char *sender, struct conf_credential *out)
{
	char spec[LIMIT_ADDRESS + 400];

	memset(out, 0, sizeof(*out));
	buf_init(&out->user, LIMIT_SECRET);
	buf_init(&out->secret, LIMIT_SECRET);
	kept_under(r, sender, spec, sizeof(spec));
	if (c->refused || !conf_answer_find(c, spec, "", out))
		return false;
	conf_credential_digest(out, r);
	snprintf(out->key, sizeof(out->key), "%s", r->written);
	return true;
}

int conf_credential_ask(struct conf *c, const struct conf_relay *r, const char *sender, struct conf_credential *out,
			struct conf_question **question, struct error *err)
{
	struct conf_question *q;

	sender = sender ? sender : "";
	if (!HAVE_TOKEN_PROGRAM || !conf_credential_takes_time(c))
		return conf_credential(c, r, sender, out, err);
	if (answer_is_kept(c, r, sender, out))
		return 1;
	q = calloc(1, sizeof(*q));
	if (!q)
		return error_set(err, REASON_SYSTEM, "out of memory");
	q->fd = -1;
	q->relay = *r;
	snprintf(q->sender, sizeof(q->sender), "%s", sender);
	buf_init(&q->output, 4 * LIMIT_SECRET);
	if (start(c, q, err) < 0) {
		conf_question_free(q);
		return -1;
	}
	*question = q;
	return 2;
}

/* ---- its answer */

/* The value of "NAME=" if the next line is that; it is taken off the text. */
static struct span take_value(struct span *text, const char *name)
{
	size_t n = strlen(name);
	struct span rest = *text, line;

	if (!span_word(&rest, "\n", &line) || line.n < n || memcmp(line.p, name, n) != 0)
		return (struct span){"", 0};
	*text = rest;
	return (struct span){line.p + n, line.n - n};
}

static int read_answer(struct conf *c, struct conf_question *q, struct conf_credential *out, struct error *err)
{
	struct span text = {buf_str(&q->output), q->output.len}, said;
	char spec[LIMIT_ADDRESS + 400];
	int64_t keep_s = 0;
	struct buf rest;
	uint64_t status;
	int rc;

	said = take_value(&text, "status=");
	if (!text_u64(said, 255, &status))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "asking for the password took too long, or outpost-token died");
	if (status != 0) {
		bool none = take_value(&text, "none=").n > 0;

		said = take_value(&text, "text=");
		error_set(err, conf_credential_reason((int)status), "%.*s", (int)said.n, said.p);
		return none ? 0 : -1;
	}
	buf_init(&rest, 4 * LIMIT_SECRET);
	buf_add(&rest, text.p, text.n);
	rc = conf_answer_parse(&rest, out, &keep_s, err);
	buf_wipe(&rest);
	if (rc < 0)
		return -1;
	c->refused = false;
	kept_under(&q->relay, q->sender, spec, sizeof(spec));
	conf_answer_keep(c, spec, "", out, keep_s);
	conf_credential_digest(out, &q->relay);
	snprintf(out->key, sizeof(out->key), "%s", q->relay.written);
	return 1;
}

int conf_question_step(struct conf *c, struct conf_question *q, struct conf_credential *out, struct error *err)
{
	int rc;

	for (;;) {
		char piece[4096];
		ssize_t n = io_read(q->fd, piece, sizeof(piece));

		if (n > 0)
			buf_add(&q->output, piece, (size_t)n);
		explicit_bzero(piece, sizeof(piece));
		if (n < 0 && errno == EAGAIN)
			return 2;
		if (n <= 0)
			break;
	}
	memset(out, 0, sizeof(*out));
	buf_init(&out->user, LIMIT_SECRET);
	buf_init(&out->secret, LIMIT_SECRET);
	rc = read_answer(c, q, out, err);
	if (rc <= 0)
		conf_credential_wipe(out);
	return rc;
}

/* ---- outpost-token's side */

/* Where outpostd's own lines go: a program's complaints are looked for there. */
static void open_log(struct conf *c)
{
	const char *file = conf_str(c, P_maillog_file);

	log_open(*file ? LOG_TO_FILE : LOG_TO_SYSLOG, conf_str(c, P_syslog_name), file);
}

int conf_question_answer(const char *dir, const char *relay, const char *sender, bool fresh, struct buf *answer)
{
	struct conf_credential cr = {0};
	struct conf_relay r;
	struct conf *c = NULL;
	struct error err = {0};
	int rc = -1;

	if (conf_load(dir, &c, &err) == 0) {
		alarm(2 * (unsigned)conf_seconds(c, P_sasl_exec_timeout) + 5); /* several programs may be asked in turn */
		open_log(c);
		if (fresh)
			conf_credential_refused(c, 'T');
		if (conf_parse_relay(c, relay, &r, &err) == 0)
			rc = conf_credential(c, &r, sender, &cr, &err);
	}
	if (rc > 0) {
		buf_addf(answer, "status=0\nuser=%s\n%s=%s\n", buf_str(&cr.user), cr.kind == 'T' ? "token" : "password",
			 buf_str(&cr.secret));
		buf_addf(answer, "expires=%lld\n", (long long)conf_answers_left(c));
		conf_credential_wipe(&cr);
	} else {
		buf_addf(answer, "status=%d\n%stext=%s\n", err.reason ? error_exit(&err) : EX_CONFIG, rc == 0 ? "none=1\n" : "", err.text);
	}
	conf_free(c);
	return buf_ok(answer) ? 0 : -1;
}
