/*
 * postfix.c: what tutorials and scripts type. Each name has a table from Postfix's option letters to words of ours;
 * the words are then run as a command line of outpost.
 */
#include "config.h"
#include "outpost/postfix.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "outpost/edit.h"

enum { WORDS = 256, IDS_MAX = 1000000 };

struct letter {
	char letter;
	bool argument;
	const char *command;	/* the subcommand it stands for; NULL: the one that is there already */
	const char *option;	/* an option of ours; NULL: none */
};

struct call {
	const char *name;
	const char *command;		/* of the letters that came so far */
	char *words[WORDS];
	int n;
};

static int usage(const char *name, const char *text)
{
	fprintf(stderr, "usage: %s %s\n", name, text);
	return EX_USAGE;
}

static bool add(struct call *call, const char *word)
{
	if (!word || call->n >= WORDS - 1)
		return !word;
	call->words[call->n++] = (char *)(uintptr_t)word;
	return true;
}

/* Letters by the table, the rest as arguments. -c DIR and -v are everywhere. */
static bool translate(struct context *c, struct call *call, const struct letter *table, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1]) {
			if (!add(call, argv[i]))
				return false;
			continue;
		}
		for (const char *p = argv[i] + 1; *p; p++) {
			const struct letter *l = table;
			const char *value = NULL;

			if (*p == 'v')
				continue;
			while (l->letter && l->letter != *p)
				l++;
			if (!l->letter && *p != 'c')
				return false;
			if (*p == 'c' || l->argument) {
				value = p[1] ? p + 1 : i + 1 < argc ? argv[++i] : NULL;
				if (!value)
					return false;
				p = "x";
			}
			if (l->letter == 0) {
				command_use_config(c, value);
				continue;
			}
			if (l->command)
				call->command = l->command;
			if (!add(call, l->option) || !add(call, l->argument ? value : NULL))
				return false;
		}
	}
	return true;
}

static int run_call(struct context *c, struct call *call)
{
	c->command = command_find(call->command);
	return command_run(c, call->n, call->words);
}

/* People who are not root have mailq and sendmail -q, which ask at the door. */
static int by_sendmail(const struct context *c, const char *mode)
{
	char path[PATH_MAX];

	if (!io_program_path("sendmail", HELPERDIR, path, sizeof(path)))
		return EX_OSFILE;
	if (c->own)
		execl(path, "sendmail", "-C", c->dir, mode, (char *)NULL);
	else
		execl(path, "sendmail", mode, (char *)NULL);
	fprintf(stderr, "postqueue: cannot run %s: %s\n", path, strerror(errno));
	return EX_OSFILE;
}

static int postqueue(struct context *c, int argc, char **argv)
{
	static const struct letter table[] = {{'p', false, "queue", NULL}, {'j', false, "queue", "--json"},
					      {'f', false, "flush", "--quiet"}, {'i', true, "retry", NULL},
					      {'s', true, "flush", NULL}, {0, false, NULL, NULL}};
	struct call call = {.name = "postqueue"};
	int rc;

	if (!translate(c, &call, table, argc, argv) || !call.command)
		return usage("postqueue", "[-c DIR] -p | -j | -f | -i ID");
	if (strcmp(call.command, "flush") == 0)
		call.n = 0;
	if (geteuid() != 0 && !c->own && strcmp(call.command, "retry") != 0)
		return by_sendmail(c, strcmp(call.command, "queue") == 0 ? "-bp" : "-q");
	rc = run_call(c, &call);
	/* Postfix's ends when the flush has begun: what is deferred still is no failure of it. */
	return rc == EX_TEMPFAIL && strcmp(call.command, "flush") == 0 ? EX_OK : rc;
}

/* ---- postsuper: -d, -h, -H, -r, each with an id, ALL, or - for ids from standard input. */

struct super {
	char (*ids)[QUEUE_ID];
	size_t n;
	bool all;
};

static int super_add(struct super *s, const char *typed, struct error *err)
{
	void *more;

	if (strcmp(typed, "ALL") == 0) {
		s->all = true;
		return 0;
	}
	more = s->n < IDS_MAX ? realloc(s->ids, (s->n + 1) * sizeof(*s->ids)) : NULL;
	if (!more)
		return error_set(err, EX_OSERR, NULL, "no memory for the queue ids");
	s->ids = more;
	if (!select_id(typed, s->ids[s->n]))
		return error_set(err, EX_USAGE, NULL, "\"%s\" is no queue id", typed);
	s->n++;
	return 0;
}

static int super_stdin(struct super *s, struct error *err)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, " \t\r\n*!#")] = 0;
		if (*line && super_add(s, line, err) < 0)
			return -1;
	}
	return 0;
}

/* What stands behind `-d ALL`: hold, deferred. What is new or under way can't be told apart by a filter: refused, since
 * taking more than was asked for would be worse. */
struct super_queues {
	bool held, deferred;
};

static bool super_queue(struct super_queues *which, const char *name)
{
	which->held |= strcmp(name, "hold") == 0;
	which->deferred |= strcmp(name, "deferred") == 0;
	return strcmp(name, "hold") == 0 || strcmp(name, "deferred") == 0;
}

static int super_select(struct context *c, const struct edit *e, const struct queue_filter *f, struct error *err)
{
	struct selection all = {0};
	struct queue *q;
	int rc;

	if (context_read_queue(c, &q, err) < 0)
		return fail(err);
	rc = q ? select_all(q, f, &all, err) : 0;
	queue_close(q);
	rc = rc < 0 ? fail(err) : edit_ids(c, e, all.ids, all.n, false);
	select_free(&all);
	return rc;
}

static int super_run(struct context *c, const struct edit *e, struct super *s, const struct super_queues *which,
		     struct error *err)
{
	struct queue_filter f = {0}, held = {.states = "h"}, deferred = {.states = "q", .deferred = true};
	int rc = EX_OK, one;

	if (context_become(c, err) < 0)
		return fail(err);
	if (!s->all)
		return edit_ids(c, e, s->ids, s->n, false);
	snprintf(f.states, sizeof(f.states), "%s", e->states);
	if (!which->held && !which->deferred)
		return super_select(c, e, &f, err);
	if (which->held && strchr(e->states, 'h'))
		rc = super_select(c, e, &held, err);
	if (which->deferred && strchr(e->states, 'q')) {
		one = super_select(c, e, &deferred, err);
		rc = rc == EX_OK ? one : rc;
	}
	return rc;
}

static const char super_letters[] = "c:d:h:H:r:psv";

/* The names of queues come last and mean all of the line: they are read first. */
static int super_queues_of(struct context *c, int argc, char **argv, struct super_queues *which)
{
	int letter;

	optind = 1;
	while ((letter = getopt(argc, argv, super_letters)) != -1) {
		if (letter == 'c')
			command_use_config(c, optarg);
		if (letter == '?')
			return usage("postsuper", "[-c DIR] -d | -h | -H | -r  ID | ALL | -  [hold] [deferred]");
	}
	for (; optind < argc; optind++)
		if (!super_queue(which, argv[optind])) {
			fprintf(stderr, "postsuper: there is no queue \"%s\" here: hold and deferred can be named\n", argv[optind]);
			return EX_USAGE;
		}
	return EX_OK;
}

static int postsuper(struct context *c, int argc, char **argv)
{
	static const struct {
		char letter;
		const struct edit *edit;
	} edits[] = {{'d', &edit_delete}, {'h', &edit_hold}, {'H', &edit_release}, {'r', &edit_retry}};
	struct super_queues which = {0};
	int letter, rc = super_queues_of(c, argc, argv, &which);

	if (rc != EX_OK)
		return rc;
	optind = 1;
	while ((letter = getopt(argc, argv, super_letters)) != -1) {
		struct super s = {0};
		struct error err = {0};

		for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
			int one;

			if (edits[i].letter != letter)
				continue;
			one = (strcmp(optarg, "-") == 0 ? super_stdin(&s, &err) : super_add(&s, optarg, &err)) < 0
				      ? fail(&err) : super_run(c, edits[i].edit, &s, &which, &err);
			rc = rc == EX_OK ? one : rc;
		}
		free(s.ids);
	}
	return rc;
}

static int postcat(struct context *c, int argc, char **argv)
{
	static const struct letter table[] = {{'q', false, "show", NULL}, {'b', false, "show", "--raw"},
					      {'h', false, "show", NULL}, {'e', false, "show", NULL},
					      {'d', false, "show", "--raw"}, {0, false, NULL, NULL}};
	struct call call = {.name = "postcat"};

	if (!translate(c, &call, table, argc, argv) || !call.command || call.n == 0)
		return usage("postcat", "[-c DIR] [-b] -q ID");
	return run_call(c, &call);
}

static int postconf(struct context *c, int argc, char **argv)
{
	static const struct letter table[] = {{'n', false, NULL, "--changed"}, {'d', false, NULL, "--defaults"},
					      {'e', false, NULL, "--edit"}, {'h', false, NULL, "--value"},
					      {'x', false, NULL, "--expand"}, {'X', false, NULL, "--remove"},
					      {'p', false, NULL, NULL}, {'q', false, NULL, NULL}, {0, false, NULL, NULL}};
	struct call call = {.name = "postconf", .command = "config"};

	if (!translate(c, &call, table, argc, argv))
		return usage("postconf", "[-c DIR] [-n | -d] [-h] [-x] [NAME ...] | -e NAME=VALUE ... | -X NAME ...");
	return run_call(c, &call);
}

/* ---- postmap: nothing is built; the file is read once to see that it can be. */

static int mend_modes(struct context *c)
{
	struct error err = {0};
	struct stat st;
	struct buf said;
	int rc = EX_OK;

	if (geteuid() != 0 || context_conf(c, &err) < 0 || stat(conf_str(c->conf, P_queue_directory), &st) < 0 || st.st_uid == 0)
		return EX_OK;
	buf_init(&said, 64 << 10);
	if (conf_mend_modes(c->conf, st.st_gid, &said, &err) < 0)
		rc = fail(&err);
	fputs(buf_str(&said), stdout);
	buf_free(&said);
	return rc;
}

/* The map is opened as one that holds no passwords, so that its mode does not matter here. */
static int try_map(const char *dir, const char *map, const char *key, struct error *err)
{
	struct conf_maps *maps = NULL;
	struct conf *conf = NULL;
	char text[PATH_MAX + 16];
	struct buf value;
	int rc = -1;

	snprintf(text, sizeof(text), "%s%s", map[strcspn(map, ":/")] == ':' ? "" : "hash:", map);
	buf_init(&value, LIMIT_ADDRESS * 8);
	if (conf_defaults(dir, &conf, err) == 0 && conf_set(conf, "canonical_maps", text, err) == 0 &&
	    conf_maps_open(conf, P_canonical_maps, &maps, err) == 0)
		rc = conf_maps_get(maps, key ? key : "postmap", &value, err);
	if (rc > 0 && key)
		printf("%s\n", buf_str(&value));
	conf_maps_free(maps);
	conf_free(conf);
	buf_wipe(&value);
	return rc;
}

static int postmap(struct context *c, int argc, char **argv)
{
	const char *key = NULL;
	struct error err = {0};
	int letter;

	optind = 1;
	while ((letter = getopt(argc, argv, "c:q:bfhimnNoprsuUvwF")) != -1) {
		if (letter == 'c')
			command_use_config(c, optarg);
		if (letter == 'q')
			key = optarg;
		if (letter == '?')
			return usage("postmap", "[-c DIR] [-q KEY] MAP ...");
	}
	if (optind == argc)
		return usage("postmap", "[-c DIR] [-q KEY] MAP ...");
	for (int i = optind; i < argc; i++) {
		int rc = try_map(c->dir, argv[i], key, &err);

		if (rc < 0)
			return fail(&err);
		if (key)
			return rc > 0 ? EX_OK : 1;
		printf("%s can be read; nothing needs to be built, outpost reads the text itself\n", argv[i]);
	}
	return mend_modes(c);
}

static const struct {
	const char *name;
	int (*run)(struct context *c, int argc, char **argv);
} names[] = {{"postqueue", postqueue}, {"postsuper", postsuper}, {"postcat", postcat}, {"postconf", postconf}, {"postmap", postmap}};

bool postfix_name(struct context *c, int argc, char **argv, int *status)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*status = names[i].run(c, argc, argv);
		return true;
	}
	return false;
}
