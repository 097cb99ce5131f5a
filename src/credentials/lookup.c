/*
 * The name and password for a relay: looked up in Postfix's order, from a file that nobody else can read.
 */
#include "config.h"
#include "credentials/internal.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/string_set.h"
#include "base/text/lines.h"
#include "credentials/sha256.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- keys */

/* More than a sender or a relay as written can fill. */
enum { KEY_SIZE = LIMIT_ADDRESS + 512, KEYS_SIZE = 12 * KEY_SIZE };

static void add_key(struct string_set *keys, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_key(struct string_set *keys, const char *fmt, ...)
{
	char key[KEY_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	string_set_add(keys, key);
}

static void add_sender_keys(struct conf *c, struct string_set *k, const char *sender)
{
	const char *delimiters = conf_str(c, P_recipient_delimiter);
	const char *at = strrchr(sender, '@');
	size_t local = at ? (size_t)(at - sender) : strlen(sender);
	size_t plain;

	add_key(k, "%s", sender);
	plain = *delimiters ? strcspn(sender, delimiters) : local;
	if (plain && plain < local)
		add_key(k, "%.*s%s", (int)plain, sender, at ? at : "");
	if (at)
		add_key(k, "%s", at);
}

/* Postfix asks for the host and then for the nexthop as written; the other spellings of the same relay come after it,
 * since half of the tutorials' mistakes are a bracket or a port. */
static void add_relay_keys(struct string_set *k, const struct relayhost *r)
{
	add_key(k, "%s", r->host);
	add_key(k, "%s", r->written);
	add_key(k, "[%s]:%s", r->host, r->port);
	if (strcmp(r->port, "587") == 0)
		add_key(k, "[%s]:submission", r->host);
	if (strcmp(r->port, "465") == 0) {
		add_key(k, "[%s]:submissions", r->host);
		add_key(k, "[%s]:smtps", r->host);
	}
	add_key(k, "[%s]", r->host);
	add_key(k, "%s:%s", r->host, r->port);
}

/* ---- the maps */

static int check_file(void *arg, const char *path, const struct stat *st, int failure, struct error *err)
{
	struct conf *c = arg;
	char near[PATH_MAX + 32];
	struct stat now;

	if (failure == 0)
		return secret_file_check(c, path, st, err);
	if (failure == EACCES)
		return secret_file_unreadable(c, path, err);
	err->reason = failure == ENOENT				       ? REASON_CREDENTIAL_NO_FILE
		      : stat(path, &now) == 0 && !S_ISREG(now.st_mode) ? REASON_CREDENTIAL_NOT_A_FILE
								       : REASON_CREDENTIAL_CONFIG;
	snprintf(near, sizeof(near), "%s/sasl_passwd", conf_dir(c));
	if (failure == ENOENT && strcmp(near, path) != 0 && access(near, F_OK) == 0) {
		size_t n = strlen(err->text);

		snprintf(err->text + n, sizeof(err->text) - n, "; there is a file %.200s", near);
	}
	return 0;
}

struct map_list password_maps(struct conf *c)
{
	struct map_list l = conf_map_list(c, P_smtp_sasl_password_maps);

	l.preferred_dir = getenv("CREDENTIALS_DIRECTORY");
	l.check_file = check_file;
	l.arg = c;
	return l;
}

/* main.cf itself is a password file when it holds static: or inline:. */
static int check_main_cf(struct conf *c, const struct maps *maps, struct error *err)
{
	struct stat st;

	for (size_t i = 0; i < maps_count(maps); i++)
		if (maps_kind(maps, i) == MAP_STATIC || maps_kind(maps, i) == MAP_INLINE)
			return conf_line(c, P_smtp_sasl_password_maps) && stat(conf_path(c), &st) == 0
				       ? secret_file_check(c, conf_path(c), &st, err) : 0;
	return 0;
}

int password_maps_open(struct conf *c, struct maps **out, struct error *err)
{
	if (maps_open(password_maps(c), out, err) < 0)
		return -1;
	if (check_main_cf(c, *out, err) == 0)
		return 0;
	maps_free(*out);
	*out = NULL;
	return -1;
}

/* ---- look-up */

/* How to look a credential up; token may be NULL where there is no oauth2: map. */
struct lookup {
	struct conf *conf;
	credential_token *token;
	void *arg;
};

static int ask_token_endpoint(const struct lookup *l, const char *file, struct credential *out, int64_t *keep_s,
			      struct error *err)
{
	struct stat st;

	if (stat(file, &st) < 0 && errno == ENOENT)
		return error_sys(err, REASON_CONFIG, "smtp_sasl_password_maps: oauth2: cannot open %s", file);
	if (stat(file, &st) == 0 && secret_file_check(l->conf, file, &st, err) < 0)
		return -1;
	return l->token(l->arg, file, out, keep_s, err);
}

/* Whatever answers for this key, element by element. */
static int look_up_key(const struct lookup *l, const struct maps *maps, const char *key, struct credential *out,
		       int64_t *keep_s, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < maps_count(maps) && rc == 0; i++) {
		const char *source = maps_source(maps, i);
		struct buf value;

		if (maps_kind(maps, i) == MAP_EXEC) {
			rc = password_program_ask(source, key, (int)conf_seconds(l->conf, P_sasl_exec_timeout), out,
						  keep_s, err);
			continue;
		}
		if (maps_kind(maps, i) == MAP_OAUTH2) {
			rc = ask_token_endpoint(l, source, out, keep_s, err);
			continue;
		}
		buf_init(&value, LIMIT_SECRET);
		rc = maps_get_from(maps, i, key, &value, err);
		if (rc > 0)
			rc = credential_parse_entry(&value, key, out, err);
		buf_wipe(&value);
	}
	return rc;
}

static void none_found(struct conf *c, const struct string_set *k, struct error *err)
{
	struct buf tried, where;

	buf_init(&tried, 1024);
	buf_init(&where, 1024);
	conf_shown(c, P_smtp_sasl_password_maps, true, &where);
	for (size_t i = 0; i < k->n; i++)
		buf_addf(&tried, "%s%s", i ? ", " : "", string_set_get(k, i));
	error_set(err, REASON_CREDENTIAL_MISSING,
		  "no password for this relay in smtp_sasl_password_maps (%s); keys tried: %s",
		  where.len ? buf_str(&where) : "not set in main.cf", buf_str(&tried));
	buf_free(&tried);
	buf_free(&where);
}

void credential_put_digest(struct credential *cr, const struct relayhost *r)
{
	const struct span parts[] = {
		{r->host, strlen(r->host) + 1},
		{buf_str(&cr->user), cr->user.len + 1},
		{buf_str(&cr->secret), cr->secret.len},
	};

	sha256_hex(parts, 3, cr->digest);
}

enum { SALT_HEX = 32 };

static void add_salted(const char *digest, char mark[CREDENTIAL_MARK])
{
	const struct span parts[] = {{mark, SALT_HEX}, span_of(digest)};
	char hex[SHA256_HEX];

	sha256_hex(parts, 2, hex);
	snprintf(mark + SALT_HEX, CREDENTIAL_MARK - SALT_HEX, "%.4s", hex);
}

void credential_mark(const char *digest, char mark[CREDENTIAL_MARK])
{
	uint64_t salt[2];

	random_bytes(salt, sizeof(salt));
	snprintf(mark, CREDENTIAL_MARK, "%016llx%016llx", (unsigned long long)salt[0], (unsigned long long)salt[1]);
	add_salted(digest, mark);
}

bool credential_has_mark(const char *digest, const char *mark)
{
	char again[CREDENTIAL_MARK];

	if (strlen(mark) != CREDENTIAL_MARK - 1)
		return false;
	memcpy(again, mark, sizeof(again));
	add_salted(digest, again);
	return strcmp(again, mark) == 0;
}

int credentials_fetch(struct conf *c, const struct relayhost *r, const char *sender, credential_token *token, void *arg,
		      struct credential *out, int64_t *keep_s, struct error *err)
{
	const struct lookup l = {c, token, arg};
	struct maps *maps = NULL;
	struct string_set keys;
	int rc;

	credential_init(out);
	*keep_s = 0;
	if (password_maps_open(c, &maps, err) < 0)
		return -1;
	string_set_init(&keys, KEYS_SIZE, true);
	if (*sender && conf_bool(c, P_smtp_sender_dependent_authentication))
		add_sender_keys(c, &keys, sender);
	add_relay_keys(&keys, r);
	rc = 0;
	for (size_t i = 0; i < keys.n && rc == 0; i++) {
		rc = look_up_key(&l, maps, string_set_get(&keys, i), out, keep_s, err);
		if (rc > 0)
			snprintf(out->key, sizeof(out->key), "%s", string_set_get(&keys, i));
	}
	if (rc == 0)
		none_found(c, &keys, err);
	if (rc > 0)
		credential_put_digest(out, r);
	else
		credential_wipe(out);
	string_set_free(&keys);
	maps_free(maps);
	return rc;
}

/* ---- whose */

/* 1: the key is there for itself, or nobody can say; 2: the answer is the same for every key; 0. */
static int owns(const struct maps *keys, const char *key)
{
	for (size_t i = 0; i < maps_count(keys); i++) {
		enum map_kind kind = maps_kind(keys, i);
		struct error ignored;
		struct buf value;
		int rc;

		if (kind == MAP_STATIC || kind == MAP_OAUTH2)
			return 2;
		if (kind == MAP_EXEC || kind == MAP_REGEXP || kind == MAP_PCRE)
			return 1;
		buf_init(&value, 1);
		rc = maps_get_from(keys, i, key, &value, &ignored);
		buf_free(&value);
		if (rc)
			return 1;
	}
	return 0;
}

static bool read_keys(struct conf *c, struct maps **keys)
{
	struct error ignored = {0};

	if (*keys && !maps_changed(*keys))
		return true;
	maps_free(*keys);
	*keys = NULL;
	if (password_maps_open(c, keys, &ignored) < 0)
		return false;
	maps_forget_values(*keys);
	return true;
}

void credential_owner(struct conf *c, struct maps **map_keys, const char *sender, char *out, size_t size)
{
	struct string_set k;
	int rc = 0;

	*out = '\0';
	if (!*sender || !conf_bool(c, P_smtp_sender_dependent_authentication))
		return;
	if (!read_keys(c, map_keys)) {
		snprintf(out, size, "%s", sender);
		return;
	}
	string_set_init(&k, KEYS_SIZE, true);
	add_sender_keys(c, &k, sender);
	for (size_t i = 0; i < k.n && rc == 0; i++) {
		rc = owns(*map_keys, string_set_get(&k, i));
		if (rc == 1)
			snprintf(out, size, "%s", string_set_get(&k, i));
	}
	string_set_free(&k);
}
