/*
 * postfix_names.c: what tutorials and scripts type. Each name has a table from Postfix's option letters to words of
 * ours; the words are then run as a command line of outpost.
 */
#include "config.h"
#include "outpost/postfix/postfix_names.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/sock.h"
#include "base/text/text.h"

enum { WORDS = 256 };

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

int postfix_usage(const char *name, const char *text)
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

static const struct letter *find_letter(const struct letter *table, int letter)
{
	while (table->letter && table->letter != letter)
		table++;
	return table->letter ? table : NULL;
}

/* Letters by the table, the rest as arguments. -c DIR and -v are everywhere. */
static bool translate(struct context *c, struct call *call, const struct letter *table, int argc, char **argv)
{
	char letters[64] = "c:v";
	size_t n = strlen(letters);
	int letter;

	for (const struct letter *l = table; l->letter; l++)
		n += (size_t)snprintf(letters + n, sizeof(letters) - n, "%c%s", l->letter, l->argument ? ":" : "");
	opterr = 0;
	optind = 1;
	while ((letter = getopt(argc, argv, letters)) != -1) {
		const struct letter *l = find_letter(table, letter);

		if (letter == '?')
			return false;
		if (letter == 'c')
			command_use_config(c, optarg);
		if (!l)
			continue;
		if (l->command)
			call->command = l->command;
		if (!add(call, l->option) || !add(call, l->argument ? optarg : NULL))
			return false;
	}
	while (optind < argc)
		if (!add(call, argv[optind++]))
			return false;
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
		return postfix_usage("postqueue", "[-c DIR] -p | -j | -f | -i ID | -s SITE");
	if (strcmp(call.command, "flush") == 0) {
		if (call.n && call.words[call.n - 1][0] != '-')
			fprintf(stderr, "postqueue: all mail goes through the relay, whatever its site: everything is "
				"tried\n");
		/* cron would send what it says each time. */
		call.n = 0;
		add(&call, "--quiet");
	}
	if (geteuid() != 0 && !c->own && strcmp(call.command, "retry") != 0)
		return by_sendmail(c, strcmp(call.command, "queue") == 0 ? "-bp" : "-q");
	rc = run_call(c, &call);
	/* Postfix's ends when the flush has begun: what is deferred still is no failure of it. */
	return rc == EX_TEMPFAIL && strcmp(call.command, "flush") == 0 ? EX_OK : rc;
}

/* ---- postfix: what starts and stops there, here does so by itself or through the service manager */

/* As a service it would be in the service manager's way; where there is none, this is how outpostd is started. */
static int run_outpostd(const struct context *c, bool foreground)
{
	char path[PATH_MAX];

	if (!io_program_path("outpostd", SBINDIR, path, sizeof(path)))
		return EX_OSFILE;
	execl(path, "outpostd", "-C", c->dir, foreground ? "-f" : (char *)NULL, (char *)NULL);
	fprintf(stderr, "postfix: cannot run %s: %s\n", path, strerror(errno));
	return EX_OSFILE;
}

static int postfix_start(struct context *c, bool foreground)
{
	struct error err = {0};

	if (context_conf(c, &err) < 0)
		return fail(&err);
	if (!sock_managed(conf_str(c->conf, P_door_socket)))
		return run_outpostd(c, foreground);
	fprintf(stderr, "postfix: the service manager keeps outpost's door and starts outpostd when there is mail; if "
		"it does not: systemctl start outpost.socket outpost-run.timer\n");
	return foreground ? EX_UNAVAILABLE : EX_OK;
}

static int postfix_start_service(struct context *c)
{
	return postfix_start(c, false);
}

static int postfix_start_foreground(struct context *c)
{
	return postfix_start(c, true);
}

static int postfix_stop(struct context *c)
{
	(void)c;
	fprintf(stderr, "postfix: nothing was stopped. Type: systemctl stop outpost-run.timer outpost.socket "
		"outpost.service "
		"(without systemd: pkill -x outpostd, until the next mail starts it). What is submitted meanwhile "
		"waits in the queue\n");
	return EX_UNAVAILABLE;
}

/* Nothing to do, but to say whether what was written can be read. */
static int postfix_reload(struct context *c)
{
	struct error err = {0};

	if (context_conf(c, &err) < 0)
		return fail(&err);
	fprintf(stderr, "postfix: nothing needs to be reloaded: outpostd reads main.cf and the maps again when they "
		"have changed\n");
	return EX_OK;
}

static int postfix_nothing(struct context *c)
{
	(void)c;
	fprintf(stderr, "postfix: there is nothing to do here; `outpost check` says what is to be fixed\n");
	return EX_OK;
}

static int postfix_flush(struct context *c)
{
	char name[] = "postqueue", option[] = "-f", *argv[] = {name, option, NULL};

	return postqueue(c, 2, argv);
}

static int postfix_status(struct context *c)
{
	return run_call(c, &(struct call){.command = "status"});
}

static int postfix_check(struct context *c)
{
	char option[] = "--offline";

	return run_call(c, &(struct call){.command = "check", .words = {option}, .n = 1});
}

static int postfix(struct context *c, int argc, char **argv)
{
	static const struct {
		const char *verb;
		int (*run)(struct context *c);
	} verbs[] = {{"start", postfix_start_service}, {"start-fg", postfix_start_foreground}, {"stop", postfix_stop},
		     {"abort", postfix_stop}, {"reload", postfix_reload}, {"flush", postfix_flush},
		     {"check", postfix_check},
		     {"status", postfix_status}, {"set-permissions", postfix_nothing},
		     {"upgrade-configuration", postfix_nothing}};
	static const struct letter table[] = {{'D', false, NULL, NULL}, {0, false, NULL, NULL}};
	struct call call = {.name = "postfix"};

	if (translate(c, &call, table, argc, argv) && call.n > 0)
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strcmp(verbs[i].verb, call.words[0]) == 0)
				return verbs[i].run(c);
	return postfix_usage("postfix", "[-c DIR] start | start-fg | stop | reload | flush | check | status");
}

static int postcat(struct context *c, int argc, char **argv)
{
	static const struct letter table[] = {{'q', false, "show", NULL}, {'b', false, "show", "--raw"},
					      {'h', false, "show", NULL}, {'e', false, "show", NULL},
					      {'d', false, "show", "--raw"}, {0, false, NULL, NULL}};
	struct call call = {.name = "postcat"};
	bool part = false;

	if (!translate(c, &call, table, argc, argv) || !call.command || call.n == 0)
		return postfix_usage("postcat", "[-c DIR] [-b | -h] -q ID");
	for (int i = 1; i < argc; i++)
		part |= argv[i][0] == '-' && strpbrk(argv[i], "bdeh");
	if (!part && !add(&call, "--full"))
		return EX_USAGE;
	return run_call(c, &call);
}

/* ---- postconf */

/* What postconf can be asked that is no parameter: the types of maps; and tutorials change services of master.cf: there
 * are none here, and nothing that a script could stumble over. */
static bool other_question(const char *word)
{
	if (word[0] != '-' || !word[1] || !strchr("mMFP", word[1]))
		return false;
	if (word[1] == 'm')
		printf("btree\ncdb\ndbm\nexec\nhash\ninline\nlmdb\noauth2\npcre\nregexp\nstatic\ntexthash\n");
	else
		fprintf(stderr, "postconf: there is no master.cf here: outpost runs no services for the network; "
			"nothing was changed\n");
	return true;
}

/* No parameters of ours, but many scripts ask for them. The version they get is ours: true, and never Postfix's. */
static const char *constant(const struct context *c, const char *name)
{
	if (strcmp(name, "mail_version") == 0)
		return PACKAGE_VERSION;
	if (strcmp(name, "mail_name") == 0)
		return PACKAGE_NAME;
	return strcmp(name, "config_directory") == 0 ? c->dir : NULL;
}

static bool take_constants(const struct context *c, struct call *call)
{
	bool bare = false, found = false;
	int n = 0;

	for (int i = 0; i < call->n; i++)
		bare |= strcmp(call->words[i], "--value") == 0;
	for (int i = 0; i < call->n; i++) {
		const char *value = constant(c, call->words[i]);

		if (!value) {
			call->words[n++] = call->words[i];
			continue;
		}
		found = true;
		if (!bare)
			term_print("%s = ", call->words[i]);
		term_print("%s\n", value);
	}
	call->n = n;
	return found;
}

static bool any_name(const struct call *call)
{
	for (int i = 0; i < call->n; i++)
		if (call->words[i][0] != '-')
			return true;
	return false;
}

static int postconf(struct context *c, int argc, char **argv)
{
	static const struct letter table[] = {{'n', false, NULL, "--changed"}, {'d', false, NULL, "--defaults"},
					      {'e', false, NULL, "--edit"}, {'h', false, NULL, "--value"},
					      {'x', false, NULL, "--expand"}, {'X', false, NULL, "--remove"},
					      {'p', false, NULL, NULL},
					      {'f', false, NULL, NULL}, {'q', false, NULL, NULL},
					      {0, false, NULL, NULL}};
	struct call call = {.name = "postconf", .command = "config"};

	for (int i = 1; i < argc; i++)
		if (other_question(argv[i]))
			return EX_OK;
	if (!translate(c, &call, table, argc, argv))
		return postfix_usage("postconf",
				     "[-c DIR] [-n | -d] [-h] [-x] [NAME ...] | -e NAME=VALUE ... | -X NAME ...");
	if (take_constants(c, &call) && !any_name(&call))
		return EX_OK;
	return run_call(c, &call);
}

static const struct {
	const char *name;
	int (*run)(struct context *c, int argc, char **argv);
} names[] = {{"postfix", postfix}, {"postqueue", postqueue}, {"postsuper", postsuper}, {"postcat", postcat},
	     {"postconf", postconf}, {"postmap", postmap}, {"postalias", postalias}};

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
