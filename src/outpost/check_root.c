/* check_root.c: where root's mail (cron's, for instance) would go: through aliases and maps, as a submission goes. */
#include "config.h"
#include "outpost/check.h"

#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "conf/conf.h"
#include "mail/rewrite.h"

enum { ALIASES, CANONICAL, RECIPIENT_CANONICAL, GENERIC, MAPS };

struct following {
	struct conf_maps *maps[MAPS];
	struct rewrite_rules rules;
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

static int get(void *arg, const char *key, struct buf *value, struct error *err)
{
	return conf_maps_get(arg, key, value, err);
}

static int include(void *arg, const char *path, struct buf *text, struct error *err)
{
	(void)arg;
	return io_read_file(path, false, text, NULL, err);
}

static int open_maps(struct following *f, struct conf *c, struct error *err)
{
	static const enum conf_param params[MAPS] = {P_alias_maps, P_canonical_maps, P_recipient_canonical_maps,
						     P_smtp_generic_maps};
	struct rewrite_map *const into[MAPS] = {&f->rules.aliases, &f->rules.canonical, &f->rules.recipient_canonical,
						&f->rules.generic};

	for (int i = 0; i < MAPS; i++) {
		if (conf_maps_open(c, params[i], &f->maps[i], err) < 0)
			return -1;
		if (f->maps[i])
			*into[i] = (struct rewrite_map){get, f->maps[i]};
	}
	f->rules.myorigin = conf_myorigin(c);
	f->rules.myhostname = conf_myhostname(c);
	f->rules.recipient_delimiter = conf_str(c, P_recipient_delimiter);
	f->rules.local_domains = conf_str(c, P_mydestination);
	f->rules.include = include;
	f->rules.canonical_classes = conf_str(c, P_canonical_classes);
	f->rules.recipient_canonical_classes = conf_str(c, P_recipient_canonical_classes);
	f->rules.masquerade_classes = conf_str(c, P_masquerade_classes);
	f->rules.masquerade_domains = conf_str(c, P_masquerade_domains);
	f->rules.masquerade_exceptions = conf_str(c, P_masquerade_exceptions);
	return 0;
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
	has = f->maps[ALIASES] && conf_maps_get(f->maps[ALIASES], name, &value, &ignored) > 0;
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
	struct buf note;
	int rc;

	memset(root, 0, sizeof(*root));
	buf_init(&note, LIMIT_HEADER);
	rc = open_maps(&f, c->conf, err);
	if (rc == 0)
		rc = rewrite_recipient(&f.rules, "root", take_result, &f, &note, err);
	root->aliased = rc >= 0 && has_alias(&f, "root");
	root->lost = rc >= 0 && !f.good && *f.lost;
	if (root->lost)
		say_mend(&f);
	snprintf(root->note, sizeof(root->note), "%.*s", (int)strcspn(buf_str(&note), "\n"), buf_str(&note));
	for (int i = 0; i < MAPS; i++)
		conf_maps_free(f.maps[i]);
	buf_free(&note);
	return rc < 0 ? -1 : 0;
}
