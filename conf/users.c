#include "config.h"
#include "conf/conf.h"

#include <grp.h>
#include <string.h>

#include "base/text.h"

static bool in_group(const char *name, const gid_t *groups, size_t n)
{
	const struct group *g = getgrnam(name);

	for (size_t i = 0; g && i < n; i++)
		if (groups[i] == g->gr_gid)
			return true;
	return false;
}

bool conf_names_user(struct conf *c, enum conf_param p, const char *user, const gid_t *groups, size_t ngroups)
{
	struct span rest = span_of(conf_str(c, p)), word;

	while (span_word(&rest, ", \t\n", &word)) {
		bool not = word.p[0] == '!';
		char name[256];

		if (span_is(word, "static:anyone"))
			return true;
		word = (struct span){word.p + not, word.n - not};
		if (word.n >= sizeof(name))
			continue;
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		if (name[0] == '%' ? in_group(name + 1, groups, ngroups) : user && strcmp(user, name) == 0)
			return !not;
	}
	return false;
}
