/* import_postfix.c: Postfix's main.cf is ours; what has no use here is left behind, password files are taken along. */
#include "config.h"
#include "outpost/import/import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files/trust.h"
#include "base/limits.h"

/* Postfix's own places and names. */
static bool stays_behind(int p)
{
	static const int list[] = {P_queue_directory, P_mail_owner, P_syslog_name, P_door_socket};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == p)
			return true;
	return false;
}

/* Types whose text file is a map of ours as well. */
static bool has_text(struct span type)
{
	static const char *const types[] = {"hash", "texthash", "btree", "lmdb", "cdb", "dbm", "regexp", "pcre"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_is(type, types[i]))
			return true;
	return false;
}

/* Tutorials have people remove the text once postmap has read it. */
static void note_unreadable(struct import *im, const char *path, const struct error *why)
{
	char built[PATH_MAX + 8];

	snprintf(built, sizeof(built), "%s.db", path);
	if (access(built, F_OK) == 0)
		import_note(im, "%s is gone, only %s.db is left: `postmap -s hash:%s` of Postfix prints its lines; "
			    "write them into %s/%s",
			    path, path, path, im->dir, strrchr(path, '/') + 1);
	else
		import_note(im, "a map could not be read: %s", why->text);
}

/* One "type:path": the file is taken along when it lies in Postfix's directory. Passwords become sasl_passwd. */
static void add_map(struct import *im, struct span word, const char *from, bool secret)
{
	const char *colon = memchr(word.p, ':', word.n);
	struct span type = {word.p, colon ? (size_t)(colon - word.p) : 0};
	char path[PATH_MAX];
	const char *name;
	struct error why = {0};
	struct buf text;

	snprintf(path, sizeof(path), "%.*s", (int)(word.n - (colon ? type.n + 1 : 0)), colon ? colon + 1 : word.p);
	if (!colon || !has_text(type) || path[0] != '/' || strchr(path, '$') ||
	    (!secret && (strncmp(path, from, strlen(from)) != 0 || path[strlen(from)] != '/'))) {
		buf_add(im->main_cf, word.p, word.n);
		return;
	}
	name = secret ? "sasl_passwd" : strrchr(path, '/') + 1;
	buf_init(&text, LIMIT_CONF_FILE);
	if (trust_read_file(path, &text, &why) == 0)
		buf_add(import_file(im, name, secret), buf_str(&text), text.len);
	else
		note_unreadable(im, path, &why);
	buf_wipe(&text);
	buf_addf(im->main_cf, "%.*s:%s/%s", (int)type.n, type.p, im->dir, name);
}

/* A value that is no plain list of types and paths stays as it is. */
static void add_maps(struct import *im, const char *name, const char *raw, const char *from, bool secret)
{
	struct span rest = span_of(raw), word;
	bool first = true;

	buf_addf(im->main_cf, "%s = ", name);
	if (strchr(raw, '{') || strncmp(raw, "static:", 7) == 0 || strncmp(raw, "inline:", 7) == 0) {
		buf_adds(im->main_cf, raw);
	} else {
		while (span_word(&rest, ", \t", &word)) {
			buf_adds(im->main_cf, first ? "" : ", ");
			add_map(im, word, from, secret);
			first = false;
		}
	}
	buf_addc(im->main_cf, '\n');
}

static void add_parameter(struct import *im, struct conf *c, int p, const char *from)
{
	const char *raw = conf_raw(c, p), *name = conf_table[p].name;
	bool maps = conf_table[p].type == T_MAPS;

	if (maps) {
		add_maps(im, name, raw, from, p == P_smtp_sasl_password_maps);
		return;
	}
	buf_addf(im->main_cf, "%s = %s\n", name, raw);
	if (strstr(raw, from))
		import_note(im, "%s still names a file under %s: move it before Postfix is purged", name, from);
}

/* By name: among them may be one that somebody relied on, body_checks for instance. */
static void note_left_behind(struct import *im, struct conf *c)
{
	const struct conf_unused *unused;
	size_t n = conf_unused(c, &unused);
	struct buf names;

	if (!n)
		return;
	buf_init(&names, LIMIT_CONF_FILE);
	for (size_t i = 0; i < n; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", unused[i].name);
	import_note(im, "%zu %s no use here and %s left behind: %s", n, n == 1 ? "line has" : "lines have",
		    n == 1 ? "is" : "are",
		    buf_str(&names));
	buf_free(&names);
}

/* Its files name further ones, which are read for whoever wrote them: root does so for root alone. */
static int refuse_others(const char *dir, struct error *err)
{
	char path[PATH_MAX + sizeof("/main.cf")];
	uid_t uid;
	gid_t gid;

	snprintf(path, sizeof(path), "%s/main.cf", dir);
	if (geteuid() != 0)
		return 0;
	if (trust_walk(path, &uid, &gid, err) < 0)
		return -1;
	if (uid == 0)
		return 0;
	return error_set(err, REASON_PERMISSION, "%s: uid %u can change it; import it as that user, or copy it first",
			 path,
			 (unsigned)uid);
}

int import_postfix(struct import *im, const char *given, struct error *err)
{
	char path[PATH_MAX];
	struct conf *c;
	size_t n;

	snprintf(path, sizeof(path), "%s", given);
	while ((n = strlen(path)) > 1 && path[n - 1] == '/')
		path[n - 1] = 0;
	if (refuse_others(path, err) < 0 || conf_load(path, &c, err) < 0)
		return -1;
	for (int p = 0; p < CONF_PARAMS; p++)
		if (conf_is_set(c, p) && !stays_behind(p))
			add_parameter(im, c, p, path);
	note_left_behind(im, c);
	conf_free(c);
	return 0;
}
