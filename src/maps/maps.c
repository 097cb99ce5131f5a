#include "config.h"
#include "maps/maps.h"
#include "base/files/trust.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text/lines.h"
#include "maps/regexp_table.h"
#include "maps/text_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum map_kind kind;
} types[] = {
	{"hash", MAP_TEXT},	{"texthash", MAP_TEXT}, {"btree", MAP_TEXT},	  {"lmdb", MAP_TEXT},
	{"cdb", MAP_TEXT},	{"dbm", MAP_TEXT},	{"sdbm", MAP_TEXT},	  {"static", MAP_STATIC},
	{"inline", MAP_INLINE}, {"regexp", MAP_REGEXP}, {"pcre", MAP_PCRE},	  {"exec", MAP_EXEC},
	{"oauth2", MAP_OAUTH2}, {"nis", MAP_NOTHING},	{"netinfo", MAP_NOTHING}, /* in default lists of old systems;
										     there is no such service here */
};

struct map {
	enum map_kind kind;
	char *source;		/* file, command, value */
	struct stat st;		/* all zero: the file is missing */
	bool exposed;		/* see maps_exposed */
	struct text_table table;
	struct regexp_table *regexp;
};

struct maps {
	const char *name;
	enum map_use use;
	struct map *maps;
	size_t n;
};

/* ---- one element */

bool map_split(struct span element, enum map_kind *kind, struct span *source)
{
	const char *colon;
	struct span type;

	element = list_unbraced(element); /* {type:source with blanks} */
	if (element.n && element.p[0] == '/') {
		*kind = MAP_TEXT;
		*source = element;
		return true;
	}
	colon = memchr(element.p, ':', element.n);
	if (!colon)
		return false;
	type = (struct span){element.p, (size_t)(colon - element.p)};
	*source = (struct span){colon + 1, element.n - type.n - 1};
	if (span_is(type, "proxy"))
		return map_split(*source, kind, source);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_is(type, types[i].name)) {
			*kind = types[i].kind;
			return true;
		}
	return false;
}

const char *map_problem(struct span element, enum map_use use)
{
	enum map_kind kind;
	struct span source;

	if (!memchr(element.p, ':', element.n) && element.p[0] != '/')
		return "each must be type:name, for instance texthash:/etc/outpost/file";
	if (!map_split(element, &kind, &source))
		return "there is no such type of map here; texthash:/FILE reads a text file";
	if ((kind == MAP_EXEC || kind == MAP_OAUTH2) && use != MAPS_PASSWORDS)
		return "exec: and oauth2: are for smtp_sasl_password_maps only";
	if (!source.n && kind != MAP_STATIC)
		return "the map's file is missing behind the colon";
	return NULL;
}

static bool is_file(enum map_kind kind)
{
	return kind == MAP_TEXT || kind == MAP_REGEXP || kind == MAP_PCRE || kind == MAP_OAUTH2;
}

char *map_path(const struct map_list *l, enum map_kind kind, struct span source)
{
	bool relative = is_file(kind) && source.p[0] != '/' && source.p[0] != '{';
	bool may_be_elsewhere =
		l->preferred_dir && l->preferred_dir[0] == '/' && (kind == MAP_TEXT || kind == MAP_OAUTH2);
	const char *base;
	char *path = NULL, *preferred = NULL;

	if (asprintf(&path, "%s%s%.*s", relative ? l->dir : "", relative ? "/" : "", (int)source.n, source.p) < 0)
		return NULL;
	base = strrchr(path, '/');
	if (!may_be_elsewhere || !base || !base[1] || asprintf(&preferred, "%s%s", l->preferred_dir, base) < 0)
		return path;
	if (access(preferred, F_OK) == 0) {
		free(path);
		return preferred;
	}
	free(preferred);
	return path;
}

/* ---- opening */

static int refuse(const struct map_list *l, struct map *m, int failure, struct error *err)
{
	if (failure == ENOENT && l->use == MAPS_ALIASES)
		return 0;
	err->reason = failure == EACCES ? REASON_PERMISSION : REASON_CONFIG;
	if (l->check_file && l->check_file(l->arg, m->source, NULL, failure, err) < 0)
		return -1;
	return error_prefix(err, "%s", l->name);
}

static int check(const struct map_list *l, const struct map *m, struct error *err)
{
	return l->check_file ? l->check_file(l->arg, m->source, &m->st, 0, err) : 0;
}

static int read_source(const struct map_list *l, struct map *m, struct buf *text, struct error *err)
{
	struct error ignored;

	errno = 0;
	if (stat(m->source, &m->st) < 0) {
		int failure = errno;

		error_sys(err, REASON_CONFIG, "cannot open %s", m->source);
		return refuse(l, m, failure, err);
	}
	if (S_ISREG(m->st.st_mode) && check(l, m, err) < 0)
		return -1;
	errno = 0;
	if (trust_read_public(m->source, text, &m->st, err) < 0)
		return refuse(l, m, errno == EACCES ? EACCES : EIO, err);
	m->exposed = l->use == MAPS_ALIASES && trust_check(m->source, &ignored) < 0;
	return check(l, m, err); /* what was read */
}

static int open_file(const struct map_list *l, struct map *m, struct error *err)
{
	struct buf text;
	struct span all;
	int rc;

	buf_init(&text, LIMIT_MAP_FILE);
	rc = read_source(l, m, &text, err);
	all = (struct span){buf_str(&text), text.len};
	if (rc == 0 && m->kind == MAP_TEXT)
		rc = text_table_parse(&m->table, all, m->source, l->use == MAPS_ALIASES, err);
	else if (rc == 0)
		rc = regexp_table_parse(all, m->source, m->kind == MAP_PCRE,
					l->use == MAPS_ALIASES || l->use == MAPS_RELAYS, &m->regexp, err);
	buf_wipe(&text);
	return rc;
}

static void strip_braces(char *s)
{
	struct span inner = list_unbraced(span_of(s));

	memmove(s, inner.p, inner.n);
	s[inner.n] = '\0';
}

static int open_one(const struct map_list *l, struct maps *ms, struct span element, struct error *err)
{
	struct map *m = &ms->maps[ms->n];
	struct span source;

	text_table_init(&m->table);
	if (!map_split(element, &m->kind, &source))
		return error_set(err, REASON_CONFIG, "%s: there is no such type of map", l->name);
	m->source = map_path(l, m->kind, source);
	if (!m->source)
		return error_set(err, REASON_SYSTEM, "out of memory");
	ms->n++;
	if (m->kind == MAP_INLINE)
		return text_table_parse_inline(&m->table, span_of(m->source), l->name, err);
	if (m->kind == MAP_STATIC)
		strip_braces(m->source);
	return is_file(m->kind) && m->kind != MAP_OAUTH2 ? open_file(l, m, err) : 0;
}

int maps_open(struct map_list l, struct maps **out, struct error *err)
{
	struct span rest = span_of(l.text), one;
	struct maps *ms;
	size_t n = 0;
	int rc = 0;

	*out = NULL;
	while (list_next(&rest, &one))
		n++;
	if (!n)
		return 0;
	ms = calloc(1, sizeof(*ms));
	if (!ms || !(ms->maps = calloc(n, sizeof(*ms->maps)))) {
		free(ms);
		return error_set(err, REASON_SYSTEM, "out of memory");
	}
	ms->name = l.name;
	ms->use = l.use;
	rest = span_of(l.text);
	while (rc == 0 && list_next(&rest, &one))
		rc = open_one(&l, ms, one, err);
	if (rc == 0)
		*out = ms;
	else
		maps_free(ms);
	return rc;
}

void maps_free(struct maps *ms)
{
	if (!ms)
		return;
	for (size_t i = 0; i < ms->n; i++) {
		struct map *m = &ms->maps[i];

		explicit_bzero(m->source, strlen(m->source));
		free(m->source);
		text_table_free(&m->table);
		regexp_table_free(m->regexp);
	}
	free(ms->maps);
	free(ms);
}

unsigned maps_bad_line(const struct maps *ms, const char **path)
{
	for (size_t i = 0; ms && i < ms->n; i++)
		if (ms->maps[i].table.bad_line) {
			*path = ms->maps[i].source;
			return ms->maps[i].table.bad_line;
		}
	return 0;
}

bool maps_changed(const struct maps *ms)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		const struct map *m = &ms->maps[i];

		if (is_file(m->kind) && m->kind != MAP_OAUTH2 && io_changed(m->source, &m->st))
			return true;
	}
	return false;
}

bool maps_exposed(const struct maps *ms)
{
	for (size_t i = 0; ms && i < ms->n; i++)
		if (ms->maps[i].exposed)
			return true;
	return false;
}

void maps_forget_values(struct maps *ms)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		struct map *m = &ms->maps[i];

		text_table_forget_values(&m->table);
		if (m->kind == MAP_STATIC || m->kind == MAP_INLINE)
			explicit_bzero(m->source, strlen(m->source));
		regexp_table_free(m->regexp);
		m->regexp = NULL;
	}
}

/* ---- asking */

size_t maps_count(const struct maps *ms)
{
	return ms ? ms->n : 0;
}

enum map_kind maps_kind(const struct maps *ms, size_t i)
{
	return ms->maps[i].kind;
}

const char *maps_source(const struct maps *ms, size_t i)
{
	return ms->maps[i].source;
}

static bool is_whole_address(const char *key)
{
	const char *at = strrchr(key, '@');

	return at && at != key;
}

int maps_get_from(const struct maps *ms, size_t i, const char *key, struct buf *value, struct error *err)
{
	const struct map *m = &ms->maps[i];
	const char *found = NULL;
	int rc = 0;

	if (m->kind == MAP_TEXT || m->kind == MAP_INLINE)
		found = text_table_get(&m->table, key);
	else if (m->kind == MAP_STATIC)
		found = m->source;
	else if (m->regexp && ((ms->use != MAPS_ADDRESSES && ms->use != MAPS_RELAYS) || is_whole_address(key)))
		rc = regexp_table_get(m->regexp, key, value);
	if (found) {
		buf_adds(value, found);
		rc = 1;
	}
	if (rc > 0 && !buf_ok(value))
		return error_set(err, REASON_DATA, "%s: the value for %s is too large", ms->name, key);
	return rc;
}

int maps_get(const struct maps *ms, const char *key, struct buf *value, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < maps_count(ms); i++)
		rc = maps_get_from(ms, i, key, value, err);
	return rc;
}
