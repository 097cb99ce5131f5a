/* check_root_mail.c: where root's mail (cron's, for instance) would go: through aliases and maps, as a submission
 * goes. */
#include "config.h"
#include "outpost/check/check.h"

#include <string.h>

#include "base/limits.h"
#include "rules/rules.h"

#define YOU "you@example.com"

struct following {
	struct rules rules;
	struct check_root *root;
	char lost[256];			/* a result that no relay can deliver */
	unsigned good;			/* results that one can */
};

bool check_is_local_name(const char *domain)
{
	static const char *const ends[] = {".localdomain", ".local", ".lan",      ".internal",
					   ".localhost",   ".home",  ".home.arpa"};
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
	has = f->rules.maps[MAP_ALIASES] && maps_get(f->rules.maps[MAP_ALIASES], name, &value, &ignored) > 0;
	buf_free(&value);
	return has;
}

/* alias_maps as they are, and an alias for `name`. */
struct pretence {
	struct rewrite_map real;
	const char *name;
};

static int get_pretended(void *arg, const char *key, struct buf *value, struct error *err)
{
	const struct pretence *p = arg;

	if (ascii_case_equal(key, p->name))
		return buf_adds(value, YOU) < 0 ? -1 : 1;
	return p->real.get ? p->real.get(p->real.arg, key, value, err) : 0;
}

/* Whether an alias would be asked for at all: where virtual_alias_maps lead elsewhere it is not. */
static bool alias_helps(struct following *f, const char *name)
{
	struct check_root ignored = {0};
	struct following then = {.root = &ignored};
	struct rewrite_rules rules = f->rules.r;
	struct pretence p = {rules.aliases, name};
	struct error err;
	struct buf note;

	rules.aliases = (struct rewrite_map){get_pretended, &p};
	buf_init(&note, LIMIT_HEADER);
	rewrite_recipient(&rules, "root", take_result, &then, &note, &err);
	buf_free(&note);
	return strstr(ignored.to, YOU) != NULL;
}

/* The file of the first map of alias_maps; "": there is none, or it is none that one line can be added to. */
static void alias_file(const struct context *c, char *out, size_t size)
{
	struct span rest = span_of(conf_str(c->conf, P_alias_maps)), map;
	const char *path = span_word(&rest, ", \t", &map) ? memchr(map.p, ':', map.n) : NULL;

	out[0] = '\0';
	if (path && path[1] == '/' && strncmp(map.p, "regexp", 6) != 0 && strncmp(map.p, "pcre", 4) != 0)
		snprintf(out, size, "%.*s", (int)(map.p + map.n - path - 1), path + 1);
}

/* What may lead elsewhere; whoever is asked last comes first. */
static const struct {
	enum rules_map map;
	enum conf_param param;
	const char *name;
} leaders[] = {
	{MAP_VIRTUAL, P_virtual_alias_maps, "virtual_alias_maps"},
	{MAP_RECIPIENT_CANONICAL, P_recipient_canonical_maps, "recipient_canonical_maps"},
	{MAP_CANONICAL, P_canonical_maps, "canonical_maps"},
};

/* -1: none is set. */
static int leader(const struct following *f)
{
	for (size_t i = 0; i < sizeof(leaders) / sizeof(leaders[0]); i++)
		if (f->rules.maps[leaders[i].map])
			return (int)i;
	return -1;
}

/* The alias belongs to the name at which the way ends; one that is there already leads nowhere. */
static void say_hint(struct context *c, struct following *f)
{
	struct check_root *root = f->root;
	char name[100], file[100];
	int other = leader(f);

	snprintf(name, sizeof(name), "%.*s", f->lost[0] ? (int)strcspn(f->lost, "@") : 4,
		 f->lost[0] ? f->lost : "root");
	alias_file(c, file, sizeof(file));
	if (other >= 0 && !alias_helps(f, name))
		snprintf(root->hint, sizeof(root->hint), "write into %s (%.150s): root@%.60s " YOU, leaders[other].name,
			 conf_str(c->conf, leaders[other].param), conf_myorigin(c->conf));
	else if (!f->rules.maps[MAP_ALIASES])
		snprintf(root->hint, sizeof(root->hint), "alias_maps = hash:/etc/aliases, and in that file %s: " YOU,
			 name);
	else if (!file[0] || has_alias(f, name))
		snprintf(root->hint, sizeof(root->hint), "write into %s, in place of the line for %s: %s: " YOU,
			 file[0] ? file : "alias_maps", name, name);
	else
		snprintf(root->hint, sizeof(root->hint), "echo '%s: " YOU "' >> %s", name, file);
}

/* Whether something says where it goes, be it an alias. */
static bool is_led(struct context *c, struct following *f)
{
	char plain[300];

	snprintf(plain, sizeof(plain), "root@%s", conf_myorigin(c->conf));
	return has_alias(f, "root") || strcmp(f->root->to, plain) != 0;
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
	root->aliased = rc >= 0 && is_led(c, &f);
	root->lost = rc >= 0 && !f.good && *f.lost;
	if (root->lost)
		snprintf(root->text, sizeof(root->text),
			 "mail for root (cron's, for instance) would go to %s, which no relay can deliver", f.lost);
	if (rc >= 0)
		say_hint(c, &f);
	line = maps_bad_line(f.rules.maps[MAP_ALIASES], &path);
	if (note.len)
		snprintf(root->note, sizeof(root->note), "%.*s", (int)strcspn(buf_str(&note), "\n"), buf_str(&note));
	else if (line)
		snprintf(root->note, sizeof(root->note),
			 "%.200s:%u: this line is not \"name: address\" and has no effect", path, line);
	rules_close(&f.rules);
	buf_free(&note);
	return rc < 0 ? -1 : 0;
}
