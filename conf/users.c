#include "config.h"
#include "conf/conf.h"

#include <grp.h>
#include <string.h>

#include "base/process/proc.h"
#include "base/text/text.h"

static int look_up(const char *name, gid_t *gid)
{
	bool failed;
	const struct group *g = proc_group(name, &failed);

	if (g)
		*gid = g->gr_gid;
	return g ? 1 : failed ? -1 : 0;
}

static int in_group(const struct conf_user *who, const char *name)
{
	gid_t gid;
	int rc = who->gid_of ? who->gid_of(who->arg, name, &gid) : look_up(name, &gid);

	for (size_t i = 0; rc > 0 && i < who->ngroups; i++)
		if (who->groups[i] == gid)
			return 1;
	return rc < 0 ? -1 : 0;
}

static int fits(const struct conf_user *who, const char *name)
{
	if (name[0] == '%')
		return in_group(who, name + 1);
	return who->name && strcmp(who->name, name) == 0;
}

int conf_names_user(struct conf *c, enum conf_param p, const struct conf_user *who)
{
	struct span rest = span_of(conf_str(c, p)), word;

	while (span_word(&rest, ", \t\n", &word)) {
		bool not = word.p[0] == '!';
		char name[256];
		int rc;

		if (span_is(word, "static:anyone"))
			return 1;
		word = span_from(word, not);
		if (!span_copy(word, name, sizeof(name)))
			continue;
		rc = fits(who, name);
		if (rc)
			return rc < 0 ? -1 : !not;
	}
	return 0;
}
