/* outpost login: the device flow of OAuth2, by outpost-token, as the queue's owner on this terminal. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/process/step.h"
#include "outpost/command.h"

#if ENABLE_OAUTH2
static int become_token(char *file, char *tokens, struct error *err)
{
	char path[4096], verb[] = "login";
	char *argv[] = {path, verb, tokens, file, NULL};

	if (!io_program_path("outpost-token", HELPERDIR, path, sizeof(path)))
		return error_set(err, REASON_SYSTEM_FILE, "the path of outpost-token is too long");
	fflush(stdout);
	execve(path, argv, step_env());
	return error_sys(err, REASON_SYSTEM_FILE, "cannot run %s", path);
}

static int run(struct context *c)
{
	char file[4096], tokens[4096];
	struct error err = {0};

	if (context_fix_modes(c, &err) == 0 && context_become(c, &err) == 0 &&
	    credentials_oauth2_file(c->conf, c->argc ? c->argv[0] : NULL, file, sizeof(file), tokens, sizeof(tokens),
				    &err) == 0)
		become_token(file, tokens, &err);
	return fail(&err);
}
#else
static int run(struct context *c)
{
	struct error err;

	(void)c;
	error_set(&err, REASON_UNAVAILABLE, "this outpost was built with --disable-oauth2");
	return fail(&err);
}
#endif

const struct command command_login = {
	.name = "login",
	.args = "[USER]",
	.help = "log in at an OAuth2 provider, in a browser on any machine",
	.more = "For an oauth2: map in smtp_sasl_password_maps, see sasl_passwd(5). Shows an address and a code, "
		"waits until they\n"
		"were used, and stores the login; outpost renews the token by itself from then on.\n",
	.max_args = 1,
	.run = run,
};
