#include "config.h"
#include "credentials/internal.h"
#include "base/deadline.h"
#include "base/files/trust.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process/proc.h"

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

enum { MAX_WORDS = 32, ERRORS_MAX = 8192 };

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
	const struct proc_spec spec = {.path = argv[0],
				       .argv = argv,
				       .env = env,
				       .fds = fds,
				       .nfds = 2,
				       .session = true,
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
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s wrote more than %u bytes", argv[0],
				 (unsigned)r->output.max);
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

/* ---- exec:PROGRAM */

struct command {
	char *words[MAX_WORDS + 2];	/* NULL at the end */
	size_t n;
	char *user;			/* user= in front of the program */
	char kind;
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
		cmd->n++;
	}
	if (!cmd->n || cmd->words[0][0] != '/')
		return error_set(err, REASON_CONFIG, "exec: wants the path of a program");
	if (cmd->n == 1)
		cmd->words[cmd->n++] = strdup(key);
	return 0;
}

/* Whoever can replace the program is the queue's owner. */
static int check_program(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, REASON_CONFIG, "exec: cannot find %s", path);
	if (st.st_mode & 002)
		return error_set(err, REASON_CONFIG, "exec: %s can be changed by everybody; type: chmod o-w %s", path,
				 path);
	if (trust_check(path, err) == 0)
		return 0;
	err->reason = REASON_CONFIG;
	return error_prefix(err, "exec");
}

static int judge_status(const char *path, int status, const struct buf *output, struct error *err)
{
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 1 || (WEXITSTATUS(status) == 0 && !output->len)))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 1;
	if (WIFEXITED(status))
		return error_set(err, REASON_CREDENTIAL_UNAVAILABLE,
				 "%s failed with status %d; its words are in the log", path, WEXITSTATUS(status));
	return error_set(err, REASON_CREDENTIAL_UNAVAILABLE, "%s was ended by signal %d", path, WTERMSIG(status));
}

static int run_command(const struct command *cmd, const char *key, int seconds, struct credential *out, int64_t *keep_s,
		       struct error *err)
{
	char key_env[1200], dir_env[PATH_MAX + 40];
	const char *credentials = getenv("CREDENTIALS_DIRECTORY"), *program = cmd->words[0];
	char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	     lang_env[] = "LANG=C.UTF-8";
	char *env[5] = {path_env, lang_env, key_env, NULL, NULL};
	struct run r;
	int status, rc;

	snprintf(key_env, sizeof(key_env), "OUTPOST_KEY=%s", key);
	if (credentials &&
	    snprintf(dir_env, sizeof(dir_env), "CREDENTIALS_DIRECTORY=%s", credentials) < (int)sizeof(dir_env))
		env[3] = dir_env;
	run_init(&r);
	status = run(&r, cmd->words, env, seconds, err);
	log_errors(program, &r.errors);
	rc = status < 0 ? -1 : judge_status(program, status, &r.output, err);
	if (rc > 0)
		rc = credential_parse_answer((struct span){buf_str(&r.output), r.output.len},
					     cmd->user ? cmd->user : "", cmd->kind, program, out, keep_s, err);
	run_free(&r);
	return rc;
}

int password_program_ask(const char *command, const char *key, int seconds, struct credential *out, int64_t *keep_s,
			 struct error *err)
{
	struct command cmd;
	int rc;

	if (key[0] == '-')
		return 0; /* a sender's address, and to the program an option */
	rc = split_command(command, key, &cmd, err);
	if (rc == 0)
		rc = check_program(cmd.words[0], err);
	if (rc == 0)
		rc = run_command(&cmd, key, seconds, out, keep_s, err);
	free_command(&cmd);
	return rc;
}
