/* status.c: to come. */
#include "config.h"

#include "outpost/command.h"

static int run(struct context *c)
{
	return fail_usage(c, "not written yet");
}

const struct command command_status = {.name = "status", .args = "", .help = "to come", .run = run};
