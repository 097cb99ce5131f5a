/* check_root.c: where root's mail (cron's, for instance) would go: through aliases and maps, as a submission goes. */
#include "config.h"
#include "outpost/check.h"

#include <string.h>

#include "base/limits.h"
#include "rules/rules.h"

struct following {
	struct rules rules;
	struct check_root *root;
	char lost[256];			/* a result that no relay can deliver */
	unsigned good;			/* results that one can */
};

bool check_is_local_name(const char *domain)
{
	static const char *const ends[] = {".localdomain", ".local", ".lan", ".internal", ".localhost", ".home", ".home.arpa"};
	size_t n = strlen(domain);

	if (!strchr(domain, '.'))
		return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t e = strlen(ends[i]);

		if (n > e && ascii_case_equal(domain + n - e, ends[i]))
			return true;
	}
	return false;
}

static int take_result(void *arg, const char *address)
{
	struct following *f = arg;
	const char *domain = strrchr(address, '@');
	size_t n = strlen(f->root->to);

	snprintf(f->root->to + n, sizeof(f->root->to) - n, "%s%s", n ? ", " : "", address);
	if (!domain || check_is_local_name(domain + 1))
		snprintf(f->lost, sizeof(f->lost), "%s", address);
	else
		f->good++;
	return 0;
}

static bool has_alias(struct following *f, const char *name)
{
	struct error ignored;
	struct buf value;
	bool has;

	buf_init(&value, LIMIT_ADDRESS * 8);
	has = f->rules.maps[MAP_ALIASES] && conf_maps_get(f->rules.maps[MAP_ALIASES], name, &value, &ignored) > 0;
	buf_free(&value);
	return has;
}

/* The alias belongs to the name at which the way ends; one that is there already leads nowhere. */
static void say_mend(struct following *f)
{
	struct check_root *root = f->root;
	char name[100];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(f->lost, "@"), f->lost);
	snprintf(root->text, sizeof(root->text), "mail for root (cron's, for instance) would go to %s, which no relay can deliver",
		 f->lost);
	if (has_alias(f, name))
		snprintf(root->mend, sizeof(root->mend), "write into /etc/aliases, in place of the line for %s: %s: you@example.com",
			 name, name);
	else
		snprintf(root->mend, sizeof(root->mend), "echo '%s: you@example.com' >> /etc/aliases", name);
}

int check_root(struct context *c, struct check_root *root, struct error *err)
{
	struct following f = {.root = root};
	const char *path;
	struct buf note;
	unsigned line;
	int rc;

	memset(root, 0, sizeof(*root));
	buf_init(&note, LIMIT_HEADER);
	rc = rules_open_for_recipients(c->conf, &f.rules, err);
	if (rc == 0)
		rc = rewrite_recipient(&f.rules.r, "root", take_result, &f, &note, err);
	root->aliased = rc >= 0 && has_alias(&f, "root");
	root->lost = rc >= 0 && !f.good && *f.lost;
	if (root->lost)
		say_mend(&f);
	line = conf_maps_bad_line(f.rules.maps[MAP_ALIASES], &path);
	if (note.len)
		snprintf(root->note, sizeof(root->note), "%.*s", (int)strcspn(buf_str(&note), "\n"), buf_str(&note));
	else if (line)
		snprintf(root->note, sizeof(root->note), "%.200s:%u: this line is not \"name: address\" and has no effect", path, line);
	rules_close(&f.rules);
	buf_free(&note);
	return rc < 0 ? -1 : 0;
}
