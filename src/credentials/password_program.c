/*
 * exec: and oauth2: password maps: a program is asked for the password, with limits on its time and output. Its
 * standard error goes to the log. The protocol is in sasl_passwd(5).
 */
#include "config.h"
#include "conf/internal.h"
#include "credentials/oauth2_file.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 32, ERRORS_MAX = 8192, KEPT_MAX = 64 };

/* ---- running it */

struct run {
	pid_t pid;
	int out, err;		/* our ends; -1: at their end */
	struct buf output, errors;
	bool too_much;
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void read_some(int *fd, struct buf *into, bool *too_much)
{
	char piece[4096];
	ssize_t n = io_read(*fd, piece, sizeof(piece));

	if (n > 0 && buf_add(into, piece, (size_t)n) < 0 && too_much)
		*too_much = true;
	explicit_bzero(piece, sizeof(piece));
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close_end(fd);
}

/* Both pipes until their ends, the deadline, or too much. */
static bool read_all(struct run *r, deadline until)
{
	while ((r->out >= 0 || r->err >= 0) && !r->too_much) {
		struct pollfd p[2] = {{.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};
		int n = poll(p, 2, deadline_poll(until));

		if (n == 0 || (n < 0 && errno != EINTR) || deadline_over(until))
			return false;
		if (n > 0 && p[0].revents)
			read_some(&r->out, &r->output, &r->too_much);
		if (n > 0 && p[1].revents)
			read_some(&r->err, &r->errors, NULL);
	}
	return true;
}

/* Its end, by the deadline at most; then it and its children are killed. */
static int reap(struct run *r, bool kill_it, deadline until)
{
	int status = 0;

	for (;;) {
		pid_t got;

		kill_it |= deadline_over(until);
		if (kill_it)
			kill(-r->pid, SIGKILL);
		got = waitpid(r->pid, &status, kill_it ? 0 : WNOHANG);
		if (got == r->pid || (got < 0 && errno != EINTR))
			return status;
		if (got == 0)
			poll(NULL, 0, 2);
	}
}

static void log_errors(const char *path, const struct buf *errors)
{
	struct span rest = {buf_str(errors), errors->len}, line;

	while (span_word(&rest, "\r\n", &line))
		log_line(LOG_WARN, "credential", 0, "%s: %.*s", path, (int)(line.n > 300 ? 300 : line.n), line.p);
}

static pid_t start(char *const *argv, char *const *env, const int out[2], const int errors[2], struct error *err)
{
	const struct proc_fd fds[] = {{out[1], 1}, {errors[1], 2}};
	const struct proc_spec spec = {.path = argv[0], .argv = argv, .env = env, .fds = fds, .nfds = 2, .session = true,
				       .die_with_parent = true};

	return proc_start(&spec, err);
}

/* Runs argv to its end. Returns its wait status, -1 with *err. r's buffers are filled. */
static int run(struct run *r, char *const *argv, char *const *env, int seconds, struct error *err)
{
	deadline until = deadline_in_ms((int64_t)seconds * 1000);
	int out[2], errors[2], status;
	bool done;

	if (pipe2(out, O_CLOEXEC) < 0)
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	if (pipe2(errors, O_CLOEXEC) < 0) {
		close(out[0]);
		close(out[1]);
		return error_sys(err, REASON_SYSTEM, "cannot make a pipe");
	}
	r->pid = start(argv, env, out, errors, err);
	close(out[1]);
	close(errors[1]);
	r->out = out[0];
	r->err = errors[0];
	if (r->pid < 0) {
		close_end(&r->out);
		close_end(&r->err);
		return -1;
	}
	done = read_all(r, until);
	close_end(&r->out);
	close_end(&r->err);
	status = reap(r, !done || r->too_much, until);
	if (r->too_much)
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s wrote more than %u bytes", argv[0], (unsigned)r->output.max);
	if (!done || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && deadline_over(until)))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s took more than %d seconds", argv[0], seconds);
	return status;
}

static void run_init(struct run *r)
{
	memset(r, 0, sizeof(*r));
	r->out = r->err = -1;
	buf_init(&r->output, LIMIT_SECRET);
	buf_init(&r->errors, ERRORS_MAX);
}

static void run_free(struct run *r)
{
	buf_wipe(&r->output);
	buf_wipe(&r->errors);
}

/* ---- what it says */

struct attribute {
	const char *name;
	struct span *value;
};

static bool take_attribute(struct span line, const struct attribute *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(a[i].name);

		if (line.n > len && memcmp(line.p, a[i].name, len) == 0 && line.p[len] == '=') {
			*a[i].value = (struct span){line.p + len + 1, line.n - len - 1};
			return true;
		}
	}
	return false;
}

/* user: the name that the map itself gave, "" if none; then a first line of another form is the whole secret. */
static int parse_answer(const struct buf *output, const char *user, char kind, struct conf_credential *out, int64_t *keep_s,
			const char *path, struct error *err)
{
	struct span rest = {buf_str(output), output->len}, line;
	struct span name = span_of(user), password = {"", 0}, token = {"", 0}, expires = {"", 0};
	const struct attribute attributes[] = {{"user", &name}, {"password", &password}, {"token", &token}, {"expires", &expires}};
	uint64_t seconds = 0;

	while (span_word(&rest, "\r\n", &line)) {
		const char *colon = memchr(line.p, ':', line.n);

		if (take_attribute(line, attributes, 4) || password.n || token.n)
			continue;
		if (*user) {
			*(kind == 'T' ? &token : &password) = line;
		} else if (colon && colon != line.p) {
			name = (struct span){line.p, (size_t)(colon - line.p)};
			password = (struct span){colon + 1, line.n - name.n - 1};
		}
	}
	if (expires.n && !text_u64(span_trim(expires), 365 * 86400, &seconds))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s: expires= is no number of seconds", path);
	if (!name.n || (!password.n && !token.n))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s did not say user:password", path);
	out->kind = token.n ? 'T' : 'P';
	buf_add(&out->user, name.p, name.n);
	buf_add(&out->secret, token.n ? token.p : password.p, token.n ? token.n : password.n);
	*keep_s = (int64_t)seconds;
	return buf_ok(&out->user) && buf_ok(&out->secret) ? 1 : error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s said too much", path);
}

int conf_answer_parse(const struct buf *output, struct conf_credential *out, int64_t *keep_s, struct error *err)
{
	return parse_answer(output, "", 'P', out, keep_s, "outpost-token", err);
}

/* ---- what is kept of it */

static void wipe_answer(struct conf_answer *a)
{
	buf_wipe(&a->user);
	buf_wipe(&a->secret);
	free(a->spec);
	free(a->key);
}

void conf_answers_free(struct conf *c)
{
	for (size_t i = 0; i < c->nanswers; i++)
		wipe_answer(&c->answers[i]);
	free(c->answers);
	c->answers = NULL;
	c->nanswers = 0;
}

bool conf_answer_find(struct conf *c, const char *spec, const char *key, struct conf_credential *out)
{
	for (size_t i = 0; i < c->nanswers; i++) {
		struct conf_answer *a = &c->answers[i];

		if (strcmp(a->spec, spec) != 0 || strcmp(a->key, key) != 0 || a->until <= clock_mono_ms())
			continue;
		buf_add(&out->user, buf_str(&a->user), a->user.len);
		buf_add(&out->secret, buf_str(&a->secret), a->secret.len);
		out->kind = a->kind;
		return true;
	}
	return false;
}

void conf_answer_keep(struct conf *c, const char *spec, const char *key, const struct conf_credential *cr, int64_t seconds)
{
	struct conf_answer *more, *a;

	if (seconds <= 0)
		return;
	if (c->nanswers >= KEPT_MAX)
		conf_answers_free(c);
	more = realloc(c->answers, (c->nanswers + 1) * sizeof(*more));
	if (!more)
		return;
	c->answers = more;
	a = &more[c->nanswers];
	memset(a, 0, sizeof(*a));
	buf_init(&a->user, LIMIT_SECRET);
	buf_init(&a->secret, LIMIT_SECRET);
	buf_add(&a->user, buf_str(&cr->user), cr->user.len);
	buf_add(&a->secret, buf_str(&cr->secret), cr->secret.len);
	a->spec = strdup(spec);
	a->key = strdup(key);
	a->kind = cr->kind;
	a->until = clock_mono_ms() + seconds * 1000;
	if (a->spec && a->key && buf_ok(&a->user) && buf_ok(&a->secret))
		c->nanswers++;
	else
		wipe_answer(a);
}

int64_t conf_answers_left(const struct conf *c)
{
	int64_t left = c->nanswers ? c->answers[0].until - clock_mono_ms() : 0;

	return left > 0 ? left / 1000 : 0;
}

bool conf_credential_refused(struct conf *c, char kind)
{
	bool kept = c->nanswers > 0;

	conf_answers_free(c);
	c->refused = kind == 'T';
	return kept || c->refused;
}

/* ---- exec:PROGRAM */

struct command {
	char *words[MAX_WORDS + 2];	/* NULL at the end */
	size_t n;
	char *user;			/* user= in front of the program */
	char kind;
	bool with_key;
};

static void free_command(struct command *cmd)
{
	for (size_t i = 0; i < cmd->n; i++)
		free(cmd->words[i]);
	free(cmd->user);
}

static char *with_key(struct span word, const char *key)
{
	return span_is(word, "%k") ? strdup(key) : span_dup(word);
}

/* "[user=NAME] [kind=token] /program [argument ...]"; %k stands for the key, which is the only argument when none is given. */
static int split_command(const char *spec, const char *key, struct command *cmd, struct error *err)
{
	struct span rest = span_of(spec), word;

	memset(cmd, 0, sizeof(*cmd));
	cmd->kind = 'P';
	while (span_word(&rest, " \t\r\n", &word) && cmd->n < MAX_WORDS) {
		if (!cmd->n && word.n > 5 && memcmp(word.p, "user=", 5) == 0) {
			free(cmd->user);
			cmd->user = span_dup((struct span){word.p + 5, word.n - 5});
			continue;
		}
		if (!cmd->n && span_is(word, "kind=token")) {
			cmd->kind = 'T';
			continue;
		}
		cmd->words[cmd->n] = with_key(word, key);
		if (!cmd->words[cmd->n])
			return error_set(err, REASON_SYSTEM, "out of memory");
		cmd->with_key |= cmd->n && span_is(word, "%k");
		cmd->n++;
	}
	if (!cmd->n || cmd->words[0][0] != '/')
		return error_set(err, REASON_CONFIG, "exec: wants the path of a program");
	if (cmd->n == 1) {
		cmd->words[cmd->n++] = strdup(key);
		cmd->with_key = true;
	}
	return 0;
}

/* A program that everybody can replace gives the password to everybody. */
static int check_program(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, REASON_CONFIG, "exec: cannot find %s", path);
	if (st.st_mode & 002)
		return error_set(err, REASON_CONFIG, "exec: %s can be changed by everybody; type: chmod o-w %s", path, path);
	return 0;
}

static int judge_status(const char *path, int status, const struct buf *output, struct error *err)
{
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 1 || (WEXITSTATUS(status) == 0 && !output->len)))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 1;
	if (WIFEXITED(status))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s failed with status %d; its words are in the log", path,
				 WEXITSTATUS(status));
	return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s was ended by signal %d", path, WTERMSIG(status));
}

static int ask_program(struct conf *c, struct command *cmd, const char *key, struct conf_credential *out, int64_t *keep_s,
		       struct error *err)
{
	char key_env[1200], dir_env[PATH_MAX + 40];
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang_env[] = "LANG=C.UTF-8";
	char *env[5] = {path_env, lang_env, key_env, NULL, NULL};
	struct run r;
	int status, rc;

	snprintf(key_env, sizeof(key_env), "OUTPOST_KEY=%s", key);
	if (credentials && snprintf(dir_env, sizeof(dir_env), "CREDENTIALS_DIRECTORY=%s", credentials) < (int)sizeof(dir_env))
		env[3] = dir_env;
	run_init(&r);
	status = run(&r, cmd->words, env, (int)conf_seconds(c, P_sasl_exec_timeout), err);
	log_errors(cmd->words[0], &r.errors);
	rc = status < 0 ? -1 : judge_status(cmd->words[0], status, &r.output, err);
	if (rc > 0)
		rc = parse_answer(&r.output, cmd->user ? cmd->user : "", cmd->kind, out, keep_s, cmd->words[0], err);
	run_free(&r);
	return rc;
}

int conf_exec_get(struct conf *c, const char *spec, const char *key, struct conf_credential *out, struct error *err)
{
	struct command cmd;
	int64_t keep_s = 0;
	int rc;

	if (conf_answer_find(c, spec, key, out))
		return 1;
	rc = split_command(spec, key, &cmd, err);
	if (rc == 0)
		rc = check_program(cmd.words[0], err);
	if (rc == 0)
		rc = ask_program(c, &cmd, key, out, &keep_s, err);
	if (rc > 0)
		conf_answer_keep(c, spec, key, out, keep_s);
	free_command(&cmd);
	return rc;
}

/* ---- oauth2:FILE */

#if ENABLE_OAUTH2
/* outpost-token says what went wrong in the first line of its standard error. */
static int token_failed(int status, const struct buf *errors, struct error *err)
{
	struct span rest = {buf_str(errors), errors->len}, line = {"outpost-token failed", 20};
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
	static const char prefix[] = "outpost-token: ";

	span_word(&rest, "\r\n", &line);
	if (line.n > sizeof(prefix) && memcmp(line.p, prefix, sizeof(prefix) - 1) == 0)
		line = (struct span){line.p + sizeof(prefix) - 1, line.n - (sizeof(prefix) - 1)};
	return error_set(err, conf_credential_reason(code), "%.*s", (int)line.n, line.p);
}

static int ask_token(struct conf *c, const char *file, const char *tokens, struct conf_credential *out, int64_t *keep_s,
		     struct error *err)
{
	char path[PATH_MAX], get[] = "get", fresh[] = "-f", t[] = "-t", limit[24], l[] = "-l";
	int seconds = (int)conf_seconds(c, P_sasl_exec_timeout);
	char *argv[9], *env[] = {NULL, NULL};
	char path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	int status, rc, n = 0;
	struct run r;

	if (!io_program_path("outpost-token", HELPERDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpost-token is too long");
	snprintf(limit, sizeof(limit), "%d", seconds > 3 ? seconds - 2 : 1);
	env[0] = path_env;
	argv[n++] = path;
	argv[n++] = get;
	if (c->refused)
		argv[n++] = fresh;
	argv[n++] = l;
	argv[n++] = limit;
	argv[n++] = t;
	argv[n++] = (char *)(uintptr_t)tokens;
	argv[n++] = (char *)(uintptr_t)file;
	argv[n] = NULL;
	run_init(&r);
	status = run(&r, argv, env, seconds, err);
	if (status < 0)
		rc = -1;
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		rc = token_failed(status, &r.errors, err);
	else
		rc = parse_answer(&r.output, "", 'T', out, keep_s, "outpost-token", err);
	run_free(&r);
	return rc;
}

int conf_oauth2_get(struct conf *c, const char *file, struct conf_credential *out, struct error *err)
{
	char tokens[PATH_MAX];
	struct oauth2 *o;
	int64_t keep_s = 0;
	struct stat st;
	int rc;

	if (stat(file, &st) < 0 && errno == ENOENT)
		return error_sys(err, REASON_CONFIG, "smtp_sasl_password_maps: oauth2: cannot open %s", file);
	if (stat(file, &st) == 0 && conf_secret_file(c, file, &st, err) < 0)
		return -1;
	if (!c->refused && conf_answer_find(c, file, "", out))
		return 1;
	o = malloc(sizeof(*o));
	if (!o)
		return error_set(err, REASON_SYSTEM, "out of memory");
	rc = oauth2_load(file, o, err);
	if (rc == 0)
		rc = oauth2_token_file(o, conf_str(c, P_queue_directory), tokens, sizeof(tokens), err);
	oauth2_wipe(o);
	free(o);
	if (rc == 0)
		rc = ask_token(c, file, tokens, out, &keep_s, err);
	if (rc > 0) {
		c->refused = false;
		conf_answer_keep(c, file, "", out, keep_s);
	}
	return rc;
}
#else
int conf_oauth2_get(struct conf *c, const char *file, struct conf_credential *out, struct error *err)
{
	(void)c;
	(void)out;
	return error_set(err, REASON_CONFIG, "oauth2:%s: this outpost was built with --disable-oauth2", file);
}
#endif
