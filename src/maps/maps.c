/*
 * Maps: lists of "type:source", asked in order. The types of Postfix that are made from a text file (hash, btree, lmdb,
 * ...) are read from that text file itself, so that nothing needs to be built.
 */
#include "config.h"
#include "conf/internal.h"
#include "base/io.h"
#include "base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum map_kind { MAP_TEXT, MAP_STATIC, MAP_INLINE, MAP_REGEXP, MAP_PCRE, MAP_EXEC, MAP_OAUTH2, MAP_NOTHING };

static const struct {
	const char *name;
	enum map_kind kind;
} types[] = {
	{"hash", MAP_TEXT}, {"texthash", MAP_TEXT}, {"btree", MAP_TEXT}, {"lmdb", MAP_TEXT}, {"cdb", MAP_TEXT},
	{"dbm", MAP_TEXT}, {"sdbm", MAP_TEXT}, {"static", MAP_STATIC}, {"inline", MAP_INLINE}, {"regexp", MAP_REGEXP},
	{"pcre", MAP_PCRE}, {"exec", MAP_EXEC}, {"oauth2", MAP_OAUTH2},
	{"nis", MAP_NOTHING}, {"netinfo", MAP_NOTHING}, /* in default lists of old systems; there is no such service here */
};

struct pair {
	size_t key, value;	/* offsets into map.text */
	unsigned line;
};

struct map {
	enum map_kind kind;
	char *source;		/* file, program, value */
	bool from_file;
	bool missing;
	unsigned bad_line;	/* the first of an alias file that is no alias; 0: none */
	struct stat st;
	struct pair *pairs;
	size_t npairs, room;
	struct buf text;	/* keys and values, each ended by NUL */
	struct conf_regexp *regexp;
};

struct conf_maps {
	struct conf *conf;
	enum conf_param param;
	struct map *maps;
	size_t n;
};

/* ---- what stands in main.cf */

static bool find_type(struct span name, enum map_kind *kind)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_is(name, types[i].name)) {
			*kind = types[i].kind;
			return true;
		}
	return false;
}

/* "proxy:hash:/file" to kind and "/file". */
static bool split_element(struct span element, enum map_kind *kind, struct span *source)
{
	const char *colon;
	struct span type;

	if (element.n > 2 && element.p[0] == '{' && element.p[element.n - 1] == '}') /* {type:source with blanks} */
		element = span_trim((struct span){element.p + 1, element.n - 2});
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
		return split_element(*source, kind, source);
	return find_type(type, kind);
}

static bool is_user_list(enum conf_param p)
{
	return p == P_authorized_submit_users || p == P_authorized_mailq_users || p == P_authorized_flush_users;
}

const char *conf_map_problem(enum conf_param p, struct span element)
{
	enum map_kind kind;
	struct span source;

	if (is_user_list(p))
		return NULL;
	if (!memchr(element.p, ':', element.n) && element.p[0] != '/')
		return "each must be type:name, for instance texthash:/etc/outpost/file";
	if (!split_element(element, &kind, &source))
		return "there is no such type of map here; texthash:/FILE reads a text file";
	if ((kind == MAP_EXEC || kind == MAP_OAUTH2) && p != P_smtp_sasl_password_maps)
		return "exec: and oauth2: are for smtp_sasl_password_maps only";
	if (!source.n && kind != MAP_STATIC)
		return "the map's file is missing behind the colon";
	return NULL;
}

/* ---- text files */

int conf_each_line(struct span text, int (*each)(void *arg, struct span line, unsigned number, struct error *err),
		   void *arg, struct error *err)
{
	unsigned number = 0, first = 0;
	struct buf logical;
	int rc = 0;

	text = conf_without_mark(text);
	buf_init(&logical, LIMIT_MAP_FILE);
	while (rc == 0 && text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		struct span line = {text.p, nl ? (size_t)(nl - text.p) : text.n};
		struct span visible = span_trim(line);

		text = (struct span){text.p + line.n + (nl != NULL), text.n - line.n - (nl != NULL)};
		number++;
		if (!visible.n || visible.p[0] == '#')
			continue;
		if (first && ascii_space(line.p[0])) {
			buf_add(&logical, line.p, (size_t)(visible.p + visible.n - line.p));
			continue;
		}
		if (first)
			rc = each(arg, (struct span){buf_str(&logical), logical.len}, first, err);
		buf_reset(&logical);
		buf_add(&logical, visible.p, visible.n);
		first = number;
	}
	if (rc == 0 && first)
		rc = each(arg, (struct span){buf_str(&logical), logical.len}, first, err);
	if (rc == 0 && !buf_ok(&logical))
		rc = error_set(err, REASON_SYSTEM, "out of memory");
	buf_wipe(&logical);
	return rc;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, REASON_SYSTEM, "out of memory");
}

/* Keys are folded: so does postmap. */
static int add_pair(struct map *m, struct span key, struct span value, unsigned line, struct error *err)
{
	if (m->npairs == m->room) {
		size_t room = m->room ? m->room * 2 : 64;
		struct pair *more = realloc(m->pairs, room * sizeof(*more));

		if (!more)
			return out_of_memory(err);
		m->pairs = more;
		m->room = room;
	}
	m->pairs[m->npairs++] = (struct pair){m->text.len, m->text.len + key.n + 1, line};
	for (size_t i = 0; i < key.n; i++)
		buf_addc(&m->text, ascii_lower(key.p[i]));
	buf_addc(&m->text, '\0');
	buf_add(&m->text, value.p, value.n);
	buf_addc(&m->text, '\0');
	return buf_ok(&m->text) ? 0 : out_of_memory(err);
}

/* Takes a key off the front: a "quoted one", or up to a blank (or a colon, in an alias file). */
static bool take_key(struct span *rest, bool alias, struct buf *key)
{
	size_t n = 0;

	if (rest->n && rest->p[0] == '"') {
		for (n = 1; n < rest->n && rest->p[n] != '"'; n++) {
			if (rest->p[n] == '\\' && n + 1 < rest->n)
				n++;
			buf_addc(key, rest->p[n]);
		}
		if (n >= rest->n)
			return false;
		n++;
	} else {
		while (n < rest->n && !ascii_space(rest->p[n]) && !(alias && rest->p[n] == ':'))
			n++;
		buf_add(key, rest->p, n);
	}
	*rest = span_trim((struct span){rest->p + n, rest->n - n});
	if (!alias)
		return key->len > 0;
	if (!rest->n || rest->p[0] != ':')
		return false;
	*rest = span_trim((struct span){rest->p + 1, rest->n - 1});
	return key->len > 0;
}

struct text_reader {
	struct map *map;
	bool alias;
};

static int take_text_line(void *arg, struct span line, unsigned number, struct error *err)
{
	struct text_reader *t = arg;
	struct buf key;
	int rc;

	if (memchr(line.p, '\0', line.n))
		return error_set(err, REASON_CONFIG, "%s:%u: a NUL byte", t->map->source, number);
	buf_init(&key, line.n + 1);
	if (take_key(&line, t->alias, &key))
		rc = add_pair(t->map, (struct span){buf_str(&key), key.len}, line, number, err);
	else if (t->alias) {
		/* As newaliases does: the others still count. */
		t->map->bad_line = t->map->bad_line ? t->map->bad_line : number;
		rc = 0;
	} else
		rc = error_set(err, REASON_CONFIG, "%s:%u: a key, blanks and a value are wanted", t->map->source, number);
	buf_wipe(&key);
	return rc;
}

static const char *sort_text; /* qsort has no argument; one thread */

static int by_key(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(sort_text + x->key, sort_text + y->key);

	return order ? order : (x->line < y->line ? -1 : x->line > y->line);
}

static void sort_pairs(struct map *m)
{
	sort_text = m->text.data;
	if (m->npairs)
		qsort(m->pairs, m->npairs, sizeof(*m->pairs), by_key);
	sort_text = NULL;
}

/* The first of equal keys counts, as in postmap. */
static const char *find_pair(const struct map *m, const char *folded)
{
	size_t lo = 0, hi = m->npairs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(m->text.data + m->pairs[mid].key, folded) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == m->npairs || strcmp(m->text.data + m->pairs[lo].key, folded) != 0)
		return NULL;
	return m->text.data + m->pairs[lo].value;
}

/* ---- opening */

static bool is_alias_file(enum conf_param p)
{
	return p == P_alias_maps || p == P_alias_database;
}

static int refuse_file(struct conf_maps *ms, struct map *m, int failure, struct error *err)
{
	bool secret = ms->param == P_smtp_sasl_password_maps;
	char near[PATH_MAX + 32];
	struct stat st;

	if (failure == ENOENT && is_alias_file(ms->param)) {
		m->missing = true;
		return 0;
	}
	if (secret && failure == EACCES)
		return conf_secret_unreadable(ms->conf, m->source, err);
	err->reason = failure == EACCES ? REASON_PERMISSION : REASON_CONFIG;
	snprintf(near, sizeof(near), "%s/sasl_passwd", ms->conf->dir);
	if (secret && failure == ENOENT && strcmp(near, m->source) != 0 && stat(near, &st) == 0) {
		size_t n = strlen(err->text);

		snprintf(err->text + n, sizeof(err->text) - n, "; there is a file %.200s", near);
	}
	return error_prefix(err, "%s", conf_table[ms->param].name);
}

static int read_source(struct conf_maps *ms, struct map *m, struct buf *text, struct error *err)
{
	errno = 0;
	if (stat(m->source, &m->st) < 0) {
		int failure = errno;

		error_sys(err, REASON_CONFIG, "cannot open %s", m->source);
		return refuse_file(ms, m, failure, err);
	}
	errno = 0;
	if (io_read_file(m->source, false, text, &m->st, err) < 0)
		return refuse_file(ms, m, errno == EACCES ? EACCES : EIO, err);
	return ms->param == P_smtp_sasl_password_maps ? conf_secret_file(ms->conf, m->source, &m->st, err) : 0; /* what was read */
}

static int open_text(struct conf_maps *ms, struct map *m, struct error *err)
{
	struct text_reader reader = {m, is_alias_file(ms->param)};
	struct buf text;
	int rc;

	buf_init(&text, LIMIT_MAP_FILE);
	rc = read_source(ms, m, &text, err);
	if (rc == 0)
		rc = conf_each_line((struct span){buf_str(&text), text.len}, take_text_line, &reader, err);
	buf_wipe(&text);
	if (rc == 0)
		sort_pairs(m);
	return rc;
}

static int open_regexp(struct conf_maps *ms, struct map *m, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, LIMIT_MAP_FILE);
	rc = read_source(ms, m, &text, err);
	if (rc == 0)
		rc = conf_regexp_parse((struct span){buf_str(&text), text.len}, m->source, m->kind == MAP_PCRE, &m->regexp, err);
	buf_wipe(&text);
	return rc;
}

/* "{ {key = value}, key=value }" */
static int open_inline(struct conf_maps *ms, struct map *m, struct error *err)
{
	struct span rest = span_trim(span_of(m->source)), one;

	if (rest.n >= 2 && rest.p[0] == '{' && rest.p[rest.n - 1] == '}')
		rest = (struct span){rest.p + 1, rest.n - 2};
	while (conf_list_next(&rest, &one)) {
		const char *eq;
		struct span key;

		if (one.n >= 2 && one.p[0] == '{' && one.p[one.n - 1] == '}')
			one = (struct span){one.p + 1, one.n - 2};
		eq = memchr(one.p, '=', one.n);
		if (!eq)
			return error_set(err, REASON_CONFIG, "%s: inline: wants {key=value, {key = value with blanks}}",
					 conf_table[ms->param].name);
		key = span_trim((struct span){one.p, (size_t)(eq - one.p)});
		if (add_pair(m, key, span_trim((struct span){eq + 1, one.n - (size_t)(eq + 1 - one.p)}),
			     (unsigned)m->npairs, err) < 0)
			return -1;
	}
	sort_pairs(m);
	return 0;
}

static void strip_braces(char *s)
{
	size_t n = strlen(s);

	if (n >= 2 && s[0] == '{' && s[n - 1] == '}') {
		struct span inner = span_trim((struct span){s + 1, n - 2});

		memmove(s, inner.p, inner.n);
		s[inner.n] = '\0';
	}
}

static char *source_name(struct conf *c, enum map_kind kind, struct span source)
{
	bool file = kind != MAP_STATIC && kind != MAP_INLINE && kind != MAP_NOTHING && kind != MAP_EXEC;
	struct buf b;
	char *name;

	buf_init(&b, LIMIT_CONF_FILE);
	if (file && source.p[0] != '/' && source.p[0] != '{')
		buf_addf(&b, "%s/", c->dir);
	buf_add(&b, source.p, source.n);
	name = span_dup((struct span){buf_str(&b), b.len});
	buf_wipe(&b);
	return name;
}

/* What the service manager hands over under the same name is meant. */
static void prefer_credential(struct map *m)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	const char *base = strrchr(m->source, '/');
	char *path = NULL;

	if (!dir || dir[0] != '/' || !base || !base[1] || asprintf(&path, "%s%s", dir, base) < 0)
		return;
	if (access(path, F_OK) == 0) {
		free(m->source);
		m->source = path;
	} else {
		free(path);
	}
}

bool conf_map_is_program(struct span element)
{
	enum map_kind kind;
	struct span source;

	return split_element(element, &kind, &source) && (kind == MAP_EXEC || kind == MAP_OAUTH2);
}

bool conf_map_oauth2(struct conf *c, struct span element, char *file, size_t size)
{
	struct map m = {.kind = MAP_TEXT};
	struct span source;
	bool fits;

	if (!split_element(element, &m.kind, &source) || m.kind != MAP_OAUTH2)
		return false;
	m.source = source_name(c, m.kind, source);
	if (!m.source)
		return false;
	prefer_credential(&m);
	fits = snprintf(file, size, "%s", m.source) < (int)size;
	free(m.source);
	return fits;
}

static int open_one(struct conf_maps *ms, struct span element, struct error *err)
{
	struct map *m = &ms->maps[ms->n];
	struct span source;

	buf_init(&m->text, LIMIT_MAP_FILE);
	if (!split_element(element, &m->kind, &source))
		return error_set(err, REASON_CONFIG, "%s: there is no such type of map", conf_table[ms->param].name);
	m->source = source_name(ms->conf, m->kind, source);
	if (!m->source)
		return out_of_memory(err);
	ms->n++;
	if (ms->param == P_smtp_sasl_password_maps && (m->kind == MAP_TEXT || m->kind == MAP_OAUTH2))
		prefer_credential(m);
	m->from_file = m->kind == MAP_TEXT || m->kind == MAP_REGEXP || m->kind == MAP_PCRE;
	if (m->kind == MAP_TEXT)
		return open_text(ms, m, err);
	if (m->kind == MAP_REGEXP || m->kind == MAP_PCRE)
		return open_regexp(ms, m, err);
	if (m->kind == MAP_INLINE)
		return open_inline(ms, m, err);
	if (m->kind == MAP_STATIC)
		strip_braces(m->source);
	return 0;
}

/* main.cf itself is a password file when it holds static: or inline:. */
static int check_main_cf(struct conf_maps *ms, struct error *err)
{
	struct stat st;

	for (size_t i = 0; i < ms->n; i++) {
		if (ms->maps[i].kind != MAP_STATIC && ms->maps[i].kind != MAP_INLINE)
			continue;
		if (!conf_line(ms->conf, ms->param) || stat(ms->conf->path, &st) < 0)
			return 0;
		return conf_secret_file(ms->conf, ms->conf->path, &st, err);
	}
	return 0;
}

int conf_maps_open(struct conf *c, enum conf_param p, struct conf_maps **out, struct error *err)
{
	struct span rest = span_of(conf_str(c, p)), one;
	struct conf_maps *ms;
	size_t n = 0;
	int rc = 0;

	while (conf_list_next(&rest, &one))
		n++;
	if (!n) {
		*out = NULL;
		return 0;
	}
	ms = calloc(1, sizeof(*ms));
	if (!ms || !(ms->maps = calloc(n, sizeof(*ms->maps)))) {
		free(ms);
		return out_of_memory(err);
	}
	ms->conf = c;
	ms->param = p;
	rest = span_of(conf_str(c, p));
	while (rc == 0 && conf_list_next(&rest, &one))
		rc = open_one(ms, one, err);
	if (rc == 0 && p == P_smtp_sasl_password_maps)
		rc = check_main_cf(ms, err);
	if (rc < 0) {
		conf_maps_free(ms);
		return -1;
	}
	*out = ms;
	return 0;
}

void conf_maps_free(struct conf_maps *ms)
{
	if (!ms)
		return;
	for (size_t i = 0; i < ms->n; i++) {
		struct map *m = &ms->maps[i];

		explicit_bzero(m->source, strlen(m->source));
		free(m->source);
		free(m->pairs);
		buf_wipe(&m->text);
		conf_regexp_free(m->regexp);
	}
	free(ms->maps);
	free(ms);
}

unsigned conf_maps_bad_line(const struct conf_maps *ms, const char **path)
{
	for (size_t i = 0; ms && i < ms->n; i++)
		if (ms->maps[i].bad_line) {
			*path = ms->maps[i].source;
			return ms->maps[i].bad_line;
		}
	return 0;
}

bool conf_maps_changed(const struct conf_maps *ms)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		const struct map *m = &ms->maps[i];
		bool missing;
		struct stat now;

		if (!m->from_file)
			continue;
		missing = stat(m->source, &now) < 0;
		if (missing != m->missing || (!missing && !conf_same_file(&now, &m->st)))
			return true;
	}
	return false;
}

/* A pattern's are not taken out: it is thrown away as a whole. */
void conf_maps_forget_values(struct conf_maps *ms)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		struct map *m = &ms->maps[i];

		for (size_t k = 0; k < m->npairs; k++)
			explicit_bzero(m->text.data + m->pairs[k].value, strlen(m->text.data + m->pairs[k].value));
		if (m->kind == MAP_STATIC || m->kind == MAP_INLINE)
			explicit_bzero(m->source, strlen(m->source));
		conf_regexp_free(m->regexp);
		m->regexp = NULL;
	}
}

/* ---- asking */

/* Patterns are for whole addresses: callers also ask for user and @domain, which must not match by chance. */
static bool pattern_applies(enum conf_param p, const char *key)
{
	const char *at = strrchr(key, '@');

	switch (p) {
	case P_canonical_maps:
	case P_sender_canonical_maps:
	case P_recipient_canonical_maps:
	case P_smtp_generic_maps:
	case P_virtual_alias_maps:
	case P_sender_dependent_relayhost_maps:
		return at && at != key;
	default:
		return true;
	}
}

static int get_pair(const struct map *m, const char *key, struct buf *value)
{
	const char *found;
	struct buf folded;

	buf_init(&folded, LIMIT_CONF_FILE);
	for (const char *k = key; *k; k++)
		buf_addc(&folded, ascii_lower(*k));
	found = buf_ok(&folded) && m->npairs ? find_pair(m, buf_str(&folded)) : NULL;
	buf_free(&folded);
	if (!found)
		return 0;
	buf_adds(value, found);
	return 1;
}

static int get_one(struct conf_maps *ms, const struct map *m, const char *key, struct buf *value)
{
	switch (m->kind) {
	case MAP_TEXT:
	case MAP_INLINE:
		return get_pair(m, key, value);
	case MAP_STATIC:
		buf_adds(value, m->source);
		return 1;
	case MAP_REGEXP:
	case MAP_PCRE:
		return pattern_applies(ms->param, key) ? conf_regexp_get(m->regexp, key, value) : 0;
	case MAP_EXEC:
	case MAP_OAUTH2: /* conf_maps_secret asks these */
	case MAP_NOTHING:
		break;
	}
	return 0;
}

int conf_maps_owner(const struct conf_maps *ms, const char *key)
{
	struct buf ignored;
	int rc = 0;

	buf_init(&ignored, 1);
	for (size_t i = 0; ms && i < ms->n && rc == 0; i++) {
		const struct map *m = &ms->maps[i];

		switch (m->kind) {
		case MAP_TEXT:
		case MAP_INLINE:
			rc = get_pair(m, key, &ignored);
			break;
		case MAP_STATIC:
		case MAP_OAUTH2:
			rc = 2;
			break;
		case MAP_EXEC:
		case MAP_REGEXP:
		case MAP_PCRE:
			rc = 1;
			break;
		case MAP_NOTHING:
			break;
		}
	}
	buf_free(&ignored);
	return rc;
}

int conf_maps_get(struct conf_maps *ms, const char *key, struct buf *value, struct error *err)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		int rc = get_one(ms, &ms->maps[i], key, value);

		if (rc > 0 && !buf_ok(value))
			return error_set(err, REASON_DATA, "%s: the value for %s is too large",
					 conf_table[ms->param].name, key);
		if (rc > 0)
			return 1;
	}
	return 0;
}

int conf_maps_secret(struct conf_maps *ms, const char *key, struct conf_credential *out, struct error *err)
{
	for (size_t i = 0; ms && i < ms->n; i++) {
		const struct map *m = &ms->maps[i];
		struct buf value;
		int rc;

		if (m->kind == MAP_EXEC || m->kind == MAP_OAUTH2) {
			rc = m->kind == MAP_EXEC ? conf_exec_get(ms->conf, m->source, key, out, err)
						 : conf_oauth2_get(ms->conf, m->source, out, err);
			if (rc)
				return rc;
			continue;
		}
		buf_init(&value, LIMIT_SECRET);
		rc = get_one(ms, m, key, &value);
		if (rc > 0)
			rc = conf_split_secret(&value, key, out, err);
		buf_wipe(&value);
		if (rc)
			return rc;
	}
	return 0;
}
