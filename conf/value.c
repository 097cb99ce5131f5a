/*
 * Types: each value of ours is expanded and judged when main.cf is read, so that the getters can't fail.
 */
#include "config.h"
#include "conf/internal.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const secret_maps[] = {"static:", "inline:"};

/* Shows a value without what may be a password: whatever follows static: or inline:, and user:password@ of a URL. */
void conf_hide_secrets(const char *text, struct buf *out)
{
	size_t end = strlen(text);
	const char *at;

	for (size_t i = 0; i < sizeof(secret_maps) / sizeof(secret_maps[0]); i++) {
		const char *found = strstr(text, secret_maps[i]);

		if (found && (size_t)(found - text) + strlen(secret_maps[i]) < end)
			end = (size_t)(found - text) + strlen(secret_maps[i]);
	}
	at = memrchr(text, '@', end);
	if (at && strstr(text, "://") && strstr(text, "://") < at) {
		const char *start = strstr(text, "://") + 3;

		text_printable(out, text, (size_t)(start - text), 500);
		buf_adds(out, "...");
		text_printable(out, at, end - (size_t)(at - text), 500);
	} else {
		text_printable(out, text, end, 500);
	}
	if (text[end])
		buf_adds(out, "...");
}

const char *conf_raw(const struct conf *c, enum conf_param p)
{
	const struct conf_entry *e = conf_entry(c, conf_table[p].name);

	return e ? e->raw : conf_table[p].def;
}

void conf_shown(struct conf *c, enum conf_param p, bool expanded, struct buf *out)
{
	const char *text = expanded ? conf_str(c, p) : conf_raw(c, p);

	if (p == P_smtp_sasl_password_maps)
		conf_hide_secrets(text, out);
	else
		buf_adds(out, text);
}

bool conf_is_set(const struct conf *c, enum conf_param p)
{
	return conf_entry(c, conf_table[p].name) != NULL;
}

unsigned conf_line(const struct conf *c, enum conf_param p)
{
	const struct conf_entry *e = conf_entry(c, conf_table[p].name);

	return e ? e->line : 0;
}

static int fill_value(struct conf *c, enum conf_param p, struct error *err)
{
	struct error why = {0};
	struct buf out;

	buf_init(&out, LIMIT_CONF_FILE);
	if (conf_expand_param(c, p, &out, &why) < 0) {
		buf_wipe(&out);
		return conf_fail_at(c, p, err, "%s", why.text);
	}
	c->values[p] = span_dup(span_trim((struct span){buf_str(&out), out.len}));
	buf_wipe(&out);
	if (!c->values[p])
		return error_set(err, REASON_SYSTEM, "out of memory");
	return 0;
}

const char *conf_str(struct conf *c, enum conf_param p)
{
	struct error err;

	if (!c->values[p] && fill_value(c, p, &err) < 0)
		return conf_table[p].def;
	return c->values[p];
}

/* ---- numbers */

static bool range_holds(const char *allowed, int64_t v)
{
	uint64_t least, greatest;
	const char *dots;

	if (!allowed)
		return true;
	dots = strstr(allowed, "..");
	if (!dots || !text_u64((struct span){allowed, (size_t)(dots - allowed)}, INT64_MAX, &least) ||
	    !text_u64(span_of(dots + 2), INT64_MAX, &greatest))
		return true;
	return v >= (int64_t)least && v <= (int64_t)greatest;
}

static int64_t unit_seconds(char unit)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == ascii_lower(unit))
			return units[i].seconds;
	return 0;
}

bool conf_time(const char *text, const char *def, int64_t *seconds)
{
	struct span s = span_trim(span_of(text));
	char unit = *def && *def != '$' ? def[strlen(def) - 1] : 's';
	uint64_t v;

	if (s.n && ascii_alpha(s.p[s.n - 1]))
		unit = s.p[--s.n];
	if (!unit_seconds(unit) || !text_u64(span_trim(s), INT64_MAX / 604800, &v))
		return false;
	*seconds = (int64_t)v * unit_seconds(unit);
	return true;
}

static bool parse_size(const char *text, int64_t *bytes)
{
	uint64_t v;

	if (!text_u64(span_of(text), INT64_MAX, &v))
		return false;
	*bytes = (int64_t)v;
	return true;
}

static bool parse_bool(const char *text, bool *on)
{
	*on = ascii_case_equal(text, "yes");
	return *on || ascii_case_equal(text, "no");
}

bool conf_bool(struct conf *c, enum conf_param p)
{
	bool on = false;

	parse_bool(conf_str(c, p), &on);
	return on;
}

int64_t conf_int(struct conf *c, enum conf_param p)
{
	int64_t v = 0;

	parse_size(conf_str(c, p), &v);
	return v;
}

/* The unit of "$default_..." is that of the parameter it refers to. */
static const char *unit_default(enum conf_param p)
{
	const char *def = conf_table[p].def;
	int other = *def == '$' ? conf_find(def + 1) : -1;

	return other >= 0 ? conf_table[other].def : def;
}

int64_t conf_seconds(struct conf *c, enum conf_param p)
{
	int64_t v = 0;

	conf_time(conf_str(c, p), unit_default(p), &v);
	return v;
}

/* ---- checks: each says what is wrong, or 0 */

static int check_bool(struct conf *c, enum conf_param p, struct error *err)
{
	bool on;

	if (!parse_bool(conf_str(c, p), &on))
		return conf_fail_at(c, p, err, "yes or no is wanted");
	return 0;
}

static int check_number(struct conf *c, enum conf_param p, struct error *err)
{
	int64_t v;

	if (!parse_size(conf_str(c, p), &v))
		return conf_fail_at(c, p, err, "a number is wanted");
	if (!range_holds(conf_table[p].allowed, v))
		return conf_fail_at(c, p, err, "a number in the range %s is wanted", conf_table[p].allowed);
	return 0;
}

static int check_time(struct conf *c, enum conf_param p, struct error *err)
{
	int64_t v;

	if (!conf_time(conf_str(c, p), unit_default(p), &v))
		return conf_fail_at(c, p, err, "a time is wanted: a number and one of s, m, h, d, w");
	if (!range_holds(conf_table[p].allowed, v))
		return conf_fail_at(c, p, err, "a time in the range %s (seconds) is wanted", conf_table[p].allowed);
	return 0;
}

static int check_path(struct conf *c, enum conf_param p, struct error *err)
{
	const char *v = conf_str(c, p);

	if (*v && *v != '/')
		return conf_fail_at(c, p, err, "a path that begins with / is wanted");
	if (strlen(v) >= PATH_MAX - 64)
		return conf_fail_at(c, p, err, "the path is too long");
	if (!*v && p == P_queue_directory)
		return conf_fail_at(c, p, err, "a path is wanted");
	return 0;
}

static int check_word(struct conf *c, enum conf_param p, struct error *err)
{
	const char *v = conf_str(c, p);

	if (!*v || list_names(conf_table[p].allowed, span_of(v)))
		return 0;
	return conf_fail_at(c, p, err, "one of these is wanted: %s", conf_table[p].allowed);
}

static int check_list(struct conf *c, enum conf_param p, struct error *err)
{
	struct span rest = span_of(conf_str(c, p)), one;

	if (!conf_table[p].allowed)
		return 0;
	while (list_next(&rest, &one))
		if (!list_names(conf_table[p].allowed, one))
			return conf_fail_at(c, p, err, "each must be one of: %s", conf_table[p].allowed);
	return 0;
}

/* ---- lists of maps */

static enum map_use map_use(enum conf_param p)
{
	switch (p) {
	case P_alias_maps:
	case P_alias_database:
		return MAPS_ALIASES;
	case P_smtp_sasl_password_maps:
		return MAPS_PASSWORDS;
	case P_canonical_maps:
	case P_sender_canonical_maps:
	case P_recipient_canonical_maps:
	case P_smtp_generic_maps:
	case P_virtual_alias_maps:
		return MAPS_ADDRESSES; /* callers also ask for user and @domain, which no pattern must match by chance
					*/
	case P_sender_dependent_relayhost_maps:
		return MAPS_RELAYS;
	default:
		return MAPS_PLAIN;
	}
}

struct map_list conf_map_list(struct conf *c, enum conf_param p)
{
	return (struct map_list){.name = conf_table[p].name, .text = conf_str(c, p), .dir = c->dir, .use = map_use(p)};
}

static int check_maps(struct conf *c, enum conf_param p, struct error *err)
{
	struct span rest = span_of(conf_str(c, p)), one;

	while (list_next(&rest, &one)) {
		const char *problem = map_problem(one, map_use(p));

		if (problem)
			return conf_fail_at(c, p, err, "%s", problem);
	}
	return 0;
}

/* These go into every address: with anything odd in them the relay would refuse every message for good. */
static int check_string(struct conf *c, enum conf_param p, struct error *err)
{
	static const enum conf_param domains[] = {P_myhostname, P_mydomain, P_myorigin};
	const char *v = conf_str(c, p);

	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		if (p == domains[i] && strpbrk(v, " \t#\"'<>@,;"))
			return conf_fail_at(c, p, err, "a domain is wanted");
	return 0;
}

int conf_check_value(struct conf *c, enum conf_param p, struct error *err)
{
	static int (*const checks[])(struct conf *, enum conf_param, struct error *) = {
		[T_STR] = check_string, [T_BOOL] = check_bool, [T_INT] = check_number, [T_SIZE] = check_number,
		[T_TIME] = check_time, [T_PATH] = check_path, [T_LIST] = check_list, [T_MAPS] = check_maps,
		[T_WORD] = check_word,
	};

	if (!c->values[p] && fill_value(c, p, err) < 0)
		return -1;
	return checks[conf_table[p].type](c, p, err);
}
