/*
 * command.h: the subcommands of outpost(8).
 *
 * A subcommand is a file cmd_NAME.c with one const entry, `command_NAME`, and a line COMMAND(NAME) in commands.def. The
 * entry's table of options serves the parser, --help and the shells' completions. A subcommand's function gets
 * a context with its options and arguments and returns the exit status, one of sysexits(3); it prints its own
 * errors with fail(). -C DIR, --help and --debug are understood everywhere, before and behind the subcommand.
 */
#ifndef OUTPOST_COMMAND_H
#define OUTPOST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "conf/conf.h"
#include "control/control.h"
#include "credentials/credentials.h"
#include "queue/queue.h"

struct context;
struct message_change;

struct command_option {
	const char *name;	/* "json" for --json; NULL ends the table */
	char letter;		/* 'j' for -j; 0: none */
	const char *arg;	/* what its argument is called; NULL: it takes none */
	const char *help;
};

struct command {
	const char *name;
	const char *args;	/* "ADDRESS", "[ID ...]", "" */
	const char *help;	/* one line, no full stop */
	const char *more;	/* paragraphs for --help, newline-terminated; NULL: none */
	const struct command_option *options;	/* NULL: none */
	int min_args, max_args;	/* max -1: any number */
	const struct message_change *change;	/* of hold, release, retry and delete; see messages/change_messages.h */
	int (*run)(struct context *c);
};

#define COMMAND(name) extern const struct command command_##name;
#include "outpost/commands.def"
#undef COMMAND

enum { COMMAND_OPTIONS = 24 };

struct context {
	const struct command *command;
	const char *dir;	/* the configuration directory */
	bool own;		/* named by -C or MAIL_CONFIG: a configuration and queue of one's own */
	int argc;		/* what is left after the options */
	char **argv;
	const char *given[COMMAND_OPTIONS];	/* by index in command->options: NULL, "" or the argument */
	struct conf *conf;	/* NULL until context_conf */
	struct credentials *credentials;	/* NULL until context_credential */
	uid_t owner;		/* of the queue directory, once context_become */
};

const struct command *command_find(const char *name);

/* Reads the options of c->command and runs it: what main does, and the names of Postfix. */
int command_run(struct context *c, int argc, char **argv);
void command_use_config(struct context *c, const char *dir);

/* options.c: reads c->command's options and arguments. OPTIONS_GO, or the exit status of a mistake or of --help. */
enum { OPTIONS_GO = -1 };
int options_read(struct context *c, int argc, char **argv);
void options_help(const struct command *cmd);

/* Options by their long name. A name that is not in the table is a mistake of ours (false, NULL). */
bool option_given(const struct context *c, const char *name);
const char *option_value(const struct context *c, const char *name);	/* NULL: not given */

/* Frees what the context holds; it may be used again. */
void context_free(struct context *c);

/* "outpost: TEXT" on standard error; returns err->code, or EX_SOFTWARE when there is none. */
int fail(const struct error *err);
/* "outpost: ..." and " (see outpost COMMAND --help)"; returns EX_USAGE. */
int fail_usage(const struct context *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- what nearly every subcommand does first */

/* As root: becomes, for good, who controls main.cf. Root runs no configuration of others, and edits none. */
int context_settle(const struct context *c, struct error *err);
/* Reads the configuration into c->conf (once), with the rights of who controls it. */
int context_conf(struct context *c, struct error *err);

/* Whether the system's queue directory, queue, is not its owner's, as after a backup was restored, and who that is:
 * outpost-drop's. As root's it would have root's programs run as root, and leave files that nobody else can write;
 * another user is not to be given the password maps. */
bool context_queue_is_foreign(struct context *c, const struct stat *queue, char *owner, size_t size);

/* Reads the configuration and becomes the queue's owner for good. */
int context_become(struct context *c, struct error *err);

/* As root, before it is given up: password maps get the mode with which the owner can read them; says so on stdout. */
int context_fix_modes(struct context *c, struct error *err);

/* Becomes the owner and opens the queue for reading. A queue that was never written to is EX_OK with *q NULL. */
int context_read_queue(struct context *c, struct queue **q, struct error *err);

/* As credentials_wait. After context_conf. */
int context_credential(struct context *c, const struct relayhost *r, const char *sender, struct credential *out,
		       struct error *err);

/* $queue_directory/admin. */
int context_admin_path(struct context *c, char *out, size_t size, struct error *err);

/* Asks the running outpostd, and gives the lines of its answer to the sink (may be NULL). Returns its exit status with
 * its last words in *answer, or -1 when nobody listens. */
enum { CONTEXT_PATIENCE_MS = 24 * 3600 * 1000 };	/* for what takes as long as it takes */
int context_ask(struct context *c, const char *const *words, size_t n, const struct control_sink *sink,
		int64_t patience_ms, struct error *answer);

/* One change of the queue: by the running outpostd (VERB ID), or under the flusher's lock by `change`. *answer says
 * what happened; returns the exit status. */
typedef int (*queue_change)(struct queue *q, int64_t row, int64_t now, struct error *err);
int context_change(struct context *c, const char *verb, const char *id, queue_change change, struct error *answer);

/* ---- the terminal */
/* As printf, but no control character gets through, whatever the arguments hold; newline and tab do. Colours are for
 * printf. */
void term_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool term_color(void);			/* stdout is a terminal that shows colour, and NO_COLOR is not set */
/* Prints text and a newline, wrapped between a left margin and the screen's edge; we are at this column already. A word
 * that is longer stays whole. Newlines count as blanks. */
void words_wrap(const char *text, size_t column, size_t margin);
/* Asks on the terminal; yes only for an answer that begins with y. Without a terminal on stdin: `unattended`. */
bool term_confirm(const char *question, bool unattended);

/* "3 min", "2 h 5 min", "4 d": how long ago or ahead, in at most two units. */
const char *words_duration(int64_t seconds, char *out, size_t size);
/* "812 bytes", "14 KB", "3.1 MB". */
const char *words_size(uint64_t bytes, char *out, size_t size);
/* "1 message", "2 messages". */
const char *words_count(uint64_t n, const char *singular, const char *plural, char *out, size_t size);
/* Local time: "2026-11-22 00:55". */
const char *words_time(int64_t us, char *out, size_t size);
/* "90", "15m", "2h", "3d", "1w" into seconds. */
int words_parse_age(const char *s, int64_t *seconds, struct error *err);

#endif
