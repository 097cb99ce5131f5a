#include "config.h"
#include "sendmail/modes.h"

#include <stdio.h>

int mode_complain(const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "sendmail: %s\n", err->text);
	return err->reason ? error_exit(err) : EX_SOFTWARE;
}

int ask_aliases(struct place *p)
{
	struct maps *maps = NULL;
	const char *path;
	struct error err;
	unsigned line;

	if (p->conf_error.reason)
		return mode_complain(&p->conf_error);
	if (maps_open(conf_map_list(p->conf, P_alias_maps), &maps, &err) < 0)
		return mode_complain(&err);
	line = maps_bad_line(maps, &path);
	if (line)
		fprintf(stderr, "sendmail: %s:%u: this line is not \"name: address\" and has no effect\n", path, line);
	maps_free(maps);
	return EX_OK;
}

int ask_check(struct place *p)
{
	return p->conf_error.reason ? mode_complain(&p->conf_error) : EX_OK;
}

int ask_nothing(const struct options *o)
{
	static const struct {
		enum mode mode;
		const char *why;
	} reasons[] = {
		{MODE_DAEMON, "-bd: sendmail is no daemon here; outpostd is (systemctl start outpost)"},
		{MODE_TEST,
		 "-bt: there are no rewriting rules to test; `sendmail -bv ADDRESS` shows what becomes of an address"},
		{MODE_HOSTS, "-bh, -bH: no host status is kept; `outpost status` shows the relay's"},
		{MODE_QUARANTINE, "-Q, -qQ, -qL: nothing is quarantined or lost here; see `outpost hold`"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].mode == o->mode)
			fprintf(stderr, "sendmail: %s\n", reasons[i].why);
	return EX_UNAVAILABLE;
}
