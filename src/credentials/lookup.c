/*
 * The name and password for a relay: looked up in Postfix's order, from a file that nobody else can read.
 */
#include "config.h"
#include "conf/internal.h"
#include "credentials/sha256.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_KEYS = 12 };

/* ---- who may read the file */

/* What to type: the system's files are root's and the owner's group's, a queue of one's own is one's own. */
static void commands(struct conf *c, const char *path, char *out, size_t size)
{
	const char *owner = conf_str(c, P_mail_owner);

	if (strcmp(c->dir, SYSCONFDIR) == 0 || geteuid() == 0)
		snprintf(out, size, "chown root:%s %s && chmod 0640 %s", owner, path, path);
	else
		snprintf(out, size, "chmod 0600 %s", path);
}

int conf_secret_file(struct conf *c, const char *path, const struct stat *st, struct error *err)
{
	struct stat queue;
	bool have_queue = stat(conf_str(c, P_queue_directory), &queue) == 0;
	char type[2 * PATH_MAX + 100];
	const char *who = NULL;

	if (st->st_mode & 007)
		who = "everybody";
	else if ((st->st_mode & 070) && st->st_gid != 0 && st->st_gid != getegid() &&
		 !(have_queue && st->st_gid == queue.st_gid))
		who = "a group that is not outpost's";
	else if (st->st_uid != 0 && st->st_uid != geteuid() && !(have_queue && st->st_uid == queue.st_uid))
		who = "a user who is neither root nor outpost's";
	if (!who)
		return 0;
	commands(c, path, type, sizeof(type));
	return error_set(err, REASON_CREDENTIAL_EXPOSED, "%s holds a password and is open to %s; type: %s", path, who, type);
}

/* The directory on the way to path, links followed, behind which nothing can be seen. (glibc leaves the place where realpath
 * gave up; elsewhere only the last directory is looked at.) */
static bool closed_directory(const char *path, char out[PATH_MAX])
{
	char *slash;

	snprintf(out, PATH_MAX, "%s", path);
	if (realpath(path, out) || errno != EACCES)
		return false;
	slash = strrchr(out, '/');
	if (!slash || slash == out)
		return false;
	*slash = '\0';
	return access(out, X_OK) < 0 && errno == EACCES;
}

static int fail_closed(const char *path, const char *directory, struct error *err)
{
	return error_set(err, REASON_PERMISSION, "%s cannot be read by outpost's user, who may not enter %s; type: chmod o+x %s",
			 path, directory, directory);
}

int conf_readable(struct conf *c, struct error *err)
{
	char directory[PATH_MAX], type[2 * PATH_MAX + 100];

	if (access(c->path, R_OK) == 0 || errno != EACCES)
		return 0;
	if (closed_directory(c->path, directory))
		return fail_closed(c->path, directory, err);
	commands(c, c->path, type, sizeof(type));
	return error_set(err, REASON_PERMISSION, "%s cannot be read by outpost's user; type: %s", c->path, type);
}

enum reason conf_credential_reason(int status)
{
	if (status == EX_NOPERM)
		return REASON_LOGIN_FAILED;
	return status == EX_CONFIG ? REASON_CREDENTIAL_CONFIG : REASON_CREDENTIAL_UNAVAILABLE;
}

int conf_secret_unreadable(struct conf *c, const char *path, struct error *err)
{
	char type[2 * PATH_MAX + 100], directory[PATH_MAX];

	if (closed_directory(path, directory))
		return fail_closed(path, directory, err);
	if (strcmp(c->dir, SYSCONFDIR) == 0)
		snprintf(type, sizeof(type), "chown root:%s %s && chmod 0640 %s (`outpost check` as root does it)",
			 conf_str(c, P_mail_owner), path, path);
	else
		snprintf(type, sizeof(type), "chown %u %s && chmod 0600 %s", (unsigned)geteuid(), path, path);
	return error_set(err, REASON_CREDENTIAL_UNREADABLE, "%s cannot be read by outpost's user; type: %s", path, type);
}

/* ---- keys */

struct keys {
	char *list[MAX_KEYS];
	size_t n;
};

static void add_key(struct keys *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_key(struct keys *k, const char *fmt, ...)
{
	char *key = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&key, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (size_t i = 0; i < k->n; i++)
		if (strcasecmp(k->list[i], key) == 0) {
			free(key);
			return;
		}
	if (k->n < MAX_KEYS)
		k->list[k->n++] = key;
	else
		free(key);
}

static void free_keys(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->list[i]);
}

static void add_sender_keys(struct conf *c, struct keys *k, const char *sender)
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
static void add_relay_keys(struct keys *k, const struct conf_relay *r)
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

/* ---- look-up */

static void wipe_parts(struct conf_credential *cr)
{
	buf_wipe(&cr->user);
	buf_wipe(&cr->secret);
}

void conf_credential_wipe(struct conf_credential *cr)
{
	wipe_parts(cr);
	explicit_bzero(cr, sizeof(*cr));
	buf_init(&cr->user, LIMIT_SECRET);
	buf_init(&cr->secret, LIMIT_SECRET);
}

void conf_credential_digest(struct conf_credential *cr, const struct conf_relay *r)
{
	unsigned char sum[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	sha256_add(&sha, r->host, strlen(r->host) + 1);
	sha256_add(&sha, buf_str(&cr->user), cr->user.len + 1);
	sha256_add(&sha, buf_str(&cr->secret), cr->secret.len);
	sha256_end(&sha, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(cr->digest + 2 * i, 3, "%02x", sum[i]);
	explicit_bzero(&sha, sizeof(sha));
}

/* "user:password"; the password may hold anything, colons too. */
int conf_split_secret(const struct buf *value, const char *key, struct conf_credential *cr, struct error *err)
{
	const char *colon = memchr(buf_str(value), ':', value->len);

	if (!colon || colon == value->data)
		return error_set(err, REASON_CREDENTIAL_CONFIG, "the password map's entry for %s is not user:password", key);
	buf_add(&cr->user, value->data, (size_t)(colon - value->data));
	buf_adds(&cr->secret, colon + 1);
	if (!buf_ok(&cr->user) || !buf_ok(&cr->secret))
		return error_set(err, REASON_CREDENTIAL_CONFIG, "the password map's entry for %s is too long", key);
	cr->kind = 'P';
	return 1;
}

static int none_found(struct conf *c, const struct keys *k, struct error *err)
{
	struct buf tried, where;

	buf_init(&tried, 1024);
	buf_init(&where, 1024);
	conf_shown(c, P_smtp_sasl_password_maps, true, &where);
	for (size_t i = 0; i < k->n; i++)
		buf_addf(&tried, "%s%s", i ? ", " : "", k->list[i]);
	error_set(err, REASON_CREDENTIAL_MISSING, "no password for this relay in smtp_sasl_password_maps (%s); keys tried: %s",
		  where.len ? buf_str(&where) : "not set in main.cf", buf_str(&tried));
	buf_free(&tried);
	buf_free(&where);
	return 0;
}

static int look_up(struct conf *c, struct conf_maps *maps, const struct keys *k, struct conf_credential *out, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < k->n && rc == 0; i++) {
		rc = conf_maps_secret(maps, k->list[i], out, err);
		if (rc > 0)
			snprintf(out->key, sizeof(out->key), "%s", k->list[i]);
	}
	if (rc == 0)
		none_found(c, k, err);
	return rc;
}

static bool read_keys(struct conf *c, struct conf_maps **keys)
{
	struct error ignored = {0};

	if (*keys && !conf_maps_changed(*keys))
		return true;
	conf_maps_free(*keys);
	*keys = NULL;
	if (conf_maps_open(c, P_smtp_sasl_password_maps, keys, &ignored) < 0)
		return false;
	conf_maps_forget_values(*keys);
	return true;
}

void conf_credential_owner(struct conf *c, const char *sender, struct conf_maps **keys, char *out, size_t size)
{
	struct keys k = {.n = 0};
	int rc = 0;

	*out = '\0';
	if (!*sender || !conf_bool(c, P_smtp_sender_dependent_authentication))
		return;
	if (!read_keys(c, keys)) {
		snprintf(out, size, "%s", sender);
		return;
	}
	add_sender_keys(c, &k, sender);
	for (size_t i = 0; i < k.n && rc == 0; i++) {
		rc = conf_maps_owner(*keys, k.list[i]);
		if (rc == 1)
			snprintf(out, size, "%s", k.list[i]);
	}
	free_keys(&k);
}

int conf_credential(struct conf *c, const struct conf_relay *r, const char *sender, struct conf_credential *out, struct error *err)
{
	struct conf_maps *maps = NULL;
	struct keys keys = {.n = 0};
	int rc;

	memset(out, 0, sizeof(*out));
	buf_init(&out->user, LIMIT_SECRET);
	buf_init(&out->secret, LIMIT_SECRET);
	if (conf_maps_open(c, P_smtp_sasl_password_maps, &maps, err) < 0)
		return -1;
	if (sender && *sender && conf_bool(c, P_smtp_sender_dependent_authentication))
		add_sender_keys(c, &keys, sender);
	add_relay_keys(&keys, r);
	rc = look_up(c, maps, &keys, out, err);
	if (rc > 0)
		conf_credential_digest(out, r);
	else
		conf_credential_wipe(out);
	free_keys(&keys);
	conf_maps_free(maps);
	return rc;
}
