/* outpost: the administrator's command. Finds the subcommand and runs it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/process/proc.h"
#include "outpost/command.h"
#include "outpost/postfix/postfix_names.h"

#define COMMAND(name) &command_##name,
static const struct command *const commands[] = {
#include "outpost/commands.def"
};
#undef COMMAND

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_help(void)
{
	printf("outpost [-C DIR] COMMAND [OPTION ...]\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->help);
	printf("\n`outpost COMMAND --help` says more; so does outpost(8).\n");
}

void command_use_config(struct context *c, const char *dir)
{
	c->dir = dir;
	c->own = strcmp(dir, SYSCONFDIR) != 0;
}

int command_run(struct context *c, int argc, char **argv)
{
	int rc = options_read(c, argc, argv);
	struct error err;

	if (rc == OPTIONS_GO)
		rc = context_settle(c, &err) < 0 ? fail(&err) : c->command->run(c);
	context_free(c);
	if (fflush(stdout) != 0 && rc == EX_OK)
		rc = EX_IOERR;
	return rc;
}

static const char *nearest_command(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strncmp(commands[i]->name, name, 2) == 0)
			return commands[i]->name;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *near = nearest_command(name);

	fprintf(stderr, "outpost: no command \"%s\"%s%s%s; `outpost help` lists them\n", name,
		near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	struct context c = {.dir = SYSCONFDIR};
	const char *env = getenv("MAIL_CONFIG");
	int i = 1, status;

	if (io_standard_fds() < 0)
		return EX_OSERR;
	proc_settle();
	if (env && *env)
		command_use_config(&c, env);
	if (postfix_name(&c, argc, argv, &status)) {
		context_free(&c);
		return status;
	}
	if (i + 1 < argc && strcmp(argv[i], "-C") == 0) {
		command_use_config(&c, argv[i + 1]);
		i += 2;
	}
	if (i >= argc) {
		print_help();
		return EX_USAGE;
	}
	if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
		printf("outpost %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	if (strcmp(argv[i], "help") == 0 && i + 1 < argc && command_find(argv[i + 1])) {
		options_help(command_find(argv[i + 1]));
		return EX_OK;
	}
	if (strcmp(argv[i], "help") == 0 && i + 1 < argc)
		return unknown_command(argv[i + 1]);
	if (strcmp(argv[i], "help") == 0 || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
		print_help();
		return EX_OK;
	}
	c.command = command_find(argv[i]);
	if (!c.command)
		return unknown_command(argv[i]);
	return command_run(&c, argc - i - 1, argv + i + 1);
}
