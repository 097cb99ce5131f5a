/* cmd_check.c: `outpost check`: the first quarter of an hour of every user. The configuration, then the relay, live. */
#include "config.h"
#include "outpost/check/check.h"

#include <string.h>

#include "base/process/proc.h"

static void live(struct context *c, struct report *r, const struct relayhost *relays, size_t n)
{
	struct check_live how = {.sender = option_value(c, "sender"), .transcript = option_given(c, "transcript")};
	char title[400], root[300];
	size_t good = 0;

	if (!how.sender)
		how.sender = conf_str(c->conf, P_from_address);
	if (!*how.sender) {
		snprintf(root, sizeof(root), "root@%s", conf_myorigin(c->conf));
		how.sender = root;
		how.guessed = true;
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(title, sizeof(title), "\nThe relay %s, live (no mail is sent)", relays[i].written);
		report_section(r, "live", title);
		good += check_live(c, r, &relays[i], &how);
	}
	if (n > 1 && good > 0 && good < n)
		report_linef(r, REPORT_NOTE, "relays", NULL, "%zu of %zu can be used; the others are passed over", good,
			     n);
}

static int summary(const struct report *r)
{
	if (!r->json && r->failures)
		printf("\n%u %s to be fixed before mail can leave.\n", r->failures,
		       r->failures == 1 ? "thing has" : "things have");
	else if (!r->json && r->warnings)
		printf("\nMail can leave; %u %s worth a look.\n", r->warnings,
		       r->warnings == 1 ? "line is" : "lines are");
	else if (!r->json)
		printf("\nAll is well.\n");
	return r->failures ? r->code : EX_OK;
}

static int run(struct context *c)
{
	struct relayhost relays[CHECK_RELAYS];
	struct report r;
	char title[4200];
	size_t n = 0;

	report_init(&r, option_given(c, "json"));
	proc_hide();
	snprintf(title, sizeof(title), "The configuration in %s", c->dir);
	report_section(&r, "configuration", title);
	if (check_as_root(c, &r))
		n = check_configuration(c, &r, relays, CHECK_RELAYS);
	if (n && !option_given(c, "offline"))
		live(c, &r, relays, n);
	return summary(&r);
}

static const struct command_option options[] = {
	{"offline", 'o', NULL, "the configuration alone; do not speak to the relay"},
	{"integrity", 'i', NULL, "read all of the queue, however large it is"},
	{"sender", 's', "ADDRESS", "let the relay say whether it takes this sender (default: from_address, root)"},
	{"transcript", 't', NULL, "show the dialogue with the relay, secrets masked"},
	{"json", 'j', NULL, "one JSON object per line"},
	{NULL, 0, NULL, NULL},
};

const struct command command_check = {
	.name = "check",
	.args = "",
	.help = "check the configuration, then try the relay step by step",
	.more = "Nothing is sent. As root it also sets password maps to the mode that outpost can read.\n"
		"Exit status: 0 mail can leave; otherwise that of the first failure: 66 no main.cf, 68 the\n"
		"relay's name is not known, 69 it can't be reached, 76 it speaks nonsense, 77 a login or a\n"
		"file's rights, 78 the configuration.\n",
	.options = options,
	.max_args = 0,
	.run = run,
};
