/* Reading main.cf: logical lines (base/lines.h) of name = value; the last of several settings wins. */
#include "config.h"
#include "conf/internal.h"
#include "base/array.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct conf_entry *conf_entry(const struct conf *c, const char *name)
{
	for (size_t i = c->nentries; i-- > 0;)
		if (strcmp(c->entries[i].name, name) == 0)
			return &c->entries[i];
	return NULL;
}

void conf_note(struct conf *c, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, LIMIT_CONF_NOTES);
	va_start(ap, fmt);
	buf_addv(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	if (!strstr(buf_str(&c->notes), buf_str(&line))) /* a value is looked at more than once */
		buf_adds(&c->notes, buf_str(&line));
	buf_free(&line);
}

/* A password without static: in front is a mistake that must not be shown. */
static bool only_map_names(const char *raw)
{
	struct span rest = span_of(raw), one;

	while (list_next(&rest, &one))
		if (one.p[0] != '$' && map_problem(one, MAPS_PASSWORDS))
			return false;
	return true;
}

/* What people write around values, out of habit from other programs: here it is a part of them. */
static const char *around(const char *raw)
{
	size_t n = strlen(raw);

	if (n > 1 && (raw[0] == '"' || raw[0] == '\'') && raw[n - 1] == raw[0])
		return "the quotes are taken as part of the value; remove them";
	if (strstr(raw, " #") || strstr(raw, "\t#"))
		return "what follows # is taken as part of the value; a comment wants a line of its own";
	return NULL;
}

int conf_fail_at(const struct conf *c, enum conf_param p, struct error *err, const char *fmt, ...)
{
	const char *raw = conf_raw(c, p);
	unsigned line = conf_line(c, p);
	struct buf shown;
	char words[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (around(raw) && p != P_smtp_sasl_password_maps)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), " (%s)", around(raw));
	buf_init(&shown, 4096);
	if (p == P_smtp_sasl_password_maps && !only_map_names(raw))
		buf_adds(&shown, "...");
	else
		conf_hide_secrets(raw, &shown);
	error_set(err, REASON_CONFIG, "%s: %s = %.120s%s", words, conf_table[p].name, buf_str(&shown),
		  conf_is_set(c, p) ? "" : " (not set there)");
	if (line)
		error_prefix(err, "%s:%u", c->path, line);
	else if (!conf_is_set(c, p)) /* else by conf_set */
		error_prefix(err, "%s", c->path);
	buf_wipe(&shown);
	return -1;
}

int conf_watch(struct conf *c, const char *path, struct error *err)
{
	struct conf_file *more, *f;

	for (size_t i = 0; i < c->nfiles; i++)
		if (strcmp(c->files[i].path, path) == 0)
			return 0;
	more = array_room(c->files, c->nfiles, &c->files_room, sizeof(*more));
	if (more)
		c->files = more;
	f = more ? &more[c->nfiles] : NULL;
	if (!f || !(f->path = strdup(path)))
		return error_set(err, REASON_SYSTEM, "out of memory");
	if (stat(path, &f->st) < 0)
		f->st = (struct stat){0};
	c->nfiles++;
	return 0;
}

bool conf_changed(const struct conf *c)
{
	for (size_t i = 0; i < c->nfiles; i++)
		if (io_changed(c->files[i].path, &c->files[i].st))
			return true;
	return false;
}

static struct conf *conf_new(const char *dir, struct error *err)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (!c) {
		error_set(err, REASON_SYSTEM, "out of memory");
		return NULL;
	}
	buf_init(&c->notes, LIMIT_CONF_NOTES);
	c->dir = realpath(dir, NULL);
	if (!c->dir)
		c->dir = strdup(dir);
	if (strlen(dir) >= PATH_MAX)
		error_set(err, REASON_CONFIG, "the name of the configuration directory is too long");
	else if (c->dir && asprintf(&c->path, "%s/main.cf", c->dir) >= 0)
		return c;
	else
		error_set(err, REASON_SYSTEM, "out of memory");
	conf_free(c);
	return NULL;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nentries; i++) {
		free(c->entries[i].name);
		wipe(c->entries[i].raw);
	}
	for (int p = 0; p < CONF_PARAMS; p++)
		wipe(c->values[p]);
	for (size_t i = 0; i < c->nold; i++)
		wipe(c->old[i]);
	for (size_t i = 0; i < c->nfiles; i++)
		free(c->files[i].path);
	free(c->entries);
	free(c->old);
	free(c->files);
	free(c->unused);
	free(c->dir);
	free(c->path);
	buf_free(&c->notes);
	free(c);
}

static int add_entry(struct conf *c, struct span name, struct span value, unsigned line, struct error *err)
{
	struct conf_entry *more = array_room(c->entries, c->nentries, &c->entries_room, sizeof(*more)), e;

	if (more)
		c->entries = more;
	if (memchr(value.p, '\0', value.n))
		return error_set(err, REASON_CONFIG, "%s:%u: a NUL byte", c->path, line);
	e = (struct conf_entry){.name = span_dup(name), .raw = span_dup(value), .line = line};
	if (!more || !e.name || !e.raw) {
		free(e.name);
		free(e.raw);
		return error_set(err, REASON_SYSTEM, "out of memory");
	}
	e.param = conf_find(e.name);
	c->entries[c->nentries++] = e;
	return 0;
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n > 0;
}

/* A line that is no setting may be a line of sasl_passwd that went astray: only its first word is shown. */
static int bad_line(const struct conf *c, struct span text, unsigned line, struct error *err)
{
	struct span rest = text, first = {"", 0};

	span_word(&rest, " \t=:", &first);
	return error_set(err, REASON_CONFIG, "%s:%u: this is not \"name = value\": %.*s%s", c->path, line,
			 (int)(first.n > 60 ? 60 : first.n), first.p, rest.n ? " ..." : "");
}

static int take_line(void *arg, struct span text, unsigned line, struct error *err)
{
	struct conf *c = arg;
	struct span name, value;
	const struct conf_entry *now, *before = NULL;

	if (!span_cut(text, '=', &name, &value) || !is_name(span_trim(name)))
		return bad_line(c, text, line, err);
	if (add_entry(c, span_trim(name), span_trim(value), line, err) < 0)
		return -1;
	now = &c->entries[c->nentries - 1];
	if (now->param >= 0 && now->param != P_smtp_sasl_password_maps && around(now->raw))
		conf_note(c, "%s:%u: %s: %s", c->path, line, now->name, around(now->raw));
	for (size_t i = 0; i + 1 < c->nentries; i++)
		if (strcmp(c->entries[i].name, now->name) == 0)
			before = &c->entries[i];
	if (before)
		conf_note(c, "%s:%u: %s is set again; line %u has no effect", c->path, line, before->name,
			  before->line);
	return 0;
}

/* A pasted line with a blank in front silently becomes part of the line above: say so when it looks like that. */
static void look_at_indented(void *arg, struct span text, unsigned line, bool continues)
{
	struct span word, value;
	struct conf *c = arg;
	char name[128];

	if (!continues)
		conf_note(c, "%s:%u: begins with a blank, but there is no line that it could continue", c->path, line);
	if (!continues || !span_cut(text, '=', &word, &value) || !is_name(span_trim(word)) ||
	    !span_copy(span_trim(word), name, sizeof(name)))
		return;
	if (conf_find(name) >= 0 || conf_postfix_knows(name))
		conf_note(c, "%s:%u: begins with a blank and so continues the line above; to set %s remove the blank",
			  c->path, line, name);
}

static int parse(struct conf *c, struct span text, struct error *err)
{
	return lines_each(text, &(struct line_reader){.line = take_line, .indented = look_at_indented, .arg = c}, err);
}

/* Made when first asked for: the nearest name costs milliseconds, and sendmail has no use for it. */
static void list_unused(struct conf *c)
{
	c->unused = calloc(c->nentries ? c->nentries : 1, sizeof(*c->unused));
	if (!c->unused)
		return;
	for (size_t i = 0; i < c->nentries; i++) {
		const struct conf_entry *e = &c->entries[i];
		bool postfix = conf_postfix_knows(e->name);

		if (e->param >= 0 || (e->referred && !postfix))
			continue;
		c->unused[c->nunused++] = (struct conf_unused){
			.name = e->name,
			.line = e->line,
			.postfix = postfix,
			.nearest = postfix ? NULL : conf_nearest(e->name),
		};
	}
}

/* Every value of ours that is set must be well-formed (the defaults are, a unit test looks); the others are expanded
 * to find out which names they refer to. */
static int check_each(struct conf *c, struct error *err)
{
	for (size_t i = 0; i < c->nentries; i++)
		if (c->entries[i].param >= 0 && conf_check_value(c, (enum conf_param)c->entries[i].param, err) < 0)
			return -1;
	for (size_t i = 0; i < c->nentries; i++) {
		struct error ignored;
		struct buf room;

		if (c->entries[i].param >= 0)
			continue;
		buf_init(&room, LIMIT_CONF_FILE);
		conf_expand(c, c->entries[i].raw, &room, &ignored);
		buf_wipe(&room);
	}
	return 0;
}

static int check_all(struct conf *c, struct error *err)
{
	int rc;

	c->steps = 0;
	c->checking = true;
	rc = check_each(c, err);
	c->checking = false;
	return rc;
}

/* Whoever can write main.cf can have everybody's mail and the password sent to himself. */
static bool owner_is_fine(struct conf *c, uid_t uid)
{
	struct stat queue;

	if (uid == 0 || (geteuid() != 0 && uid == geteuid()))
		return true;
	return stat(conf_str(c, P_queue_directory), &queue) == 0 && queue.st_uid == uid;
}

static int check_owner(struct conf *c, const char *path, const struct stat *st, struct error *err)
{
	if ((st->st_mode & 022) && !((st->st_mode & 002) == 0 && st->st_gid == 0))
		return error_set(err, REASON_CONFIG, "%s can be written by others than its owner; type: chmod go-w %s",
				 path, path);
	if (!owner_is_fine(c, st->st_uid))
		return error_set(err, REASON_CONFIG, "%s belongs to user %u, who is neither root nor the owner of the "
				 "queue; type: chown root %s", path, (unsigned)st->st_uid, path);
	return 0;
}

static int check_rights(struct conf *c, const struct stat *file, struct error *err)
{
	struct stat dir;

	if (stat(c->dir, &dir) < 0)
		return error_sys(err, REASON_NO_INPUT, "cannot stat %s", c->dir);
	if (check_owner(c, c->path, file, err) < 0 || check_owner(c, c->dir, &dir, err) < 0)
		return -1;
	c->writer = file->st_uid ? file->st_uid : dir.st_uid;
	return 0;
}

uid_t conf_writer(const struct conf *c)
{
	return c->writer;
}

int conf_check_writer(const struct conf *c, struct error *err)
{
	if (c->writer == 0 || c->writer == geteuid())
		return 0;
	return error_set(err, REASON_CONFIG, "%s belongs to user %u and is not for user %u", c->path,
			 (unsigned)c->writer, (unsigned)geteuid());
}

static int load_into(struct conf *c, struct error *err)
{
	struct buf text;
	struct stat st;
	int rc;

	buf_init(&text, LIMIT_CONF_FILE);
	rc = conf_watch(c, c->path, err); /* before it is read: whoever writes on meanwhile is seen */
	if (rc == 0)
		rc = io_read_file(c->path, false, &text, &st, err);
	if (rc == 0)
		rc = parse(c, buf_span(&text), err);
	buf_wipe(&text);
	if (rc == 0)
		rc = check_all(c, err);
	if (rc == 0)
		rc = check_rights(c, &st, err);
	return rc;
}

static int give(struct conf *c, int rc, struct conf **out)
{
	if (rc < 0)
		conf_free(c);
	else
		*out = c;
	return rc;
}

int conf_load(const char *dir, struct conf **out, struct error *err)
{
	struct conf *c = conf_new(dir, err);

	return c ? give(c, load_into(c, err), out) : -1;
}

int conf_from_text(const char *dir, struct span text, struct conf **out, struct error *err)
{
	struct conf *c = conf_new(dir, err);

	return c ? give(c, parse(c, text, err) < 0 ? -1 : check_all(c, err), out) : -1;
}

int conf_defaults(const char *dir, struct conf **out, struct error *err)
{
	struct conf *c = conf_new(dir, err);

	return c ? give(c, conf_watch(c, c->path, err) < 0 ? -1 : check_all(c, err), out) : -1;
}

size_t conf_unused(const struct conf *c, const struct conf_unused **list)
{
	if (!c->unused)
		list_unused((struct conf *)(uintptr_t)c);
	*list = c->unused;
	return c->nunused;
}

const char *conf_unused_words(const struct conf_unused *u, char *out, size_t size)
{
	snprintf(out, size, "no parameter is called %s: the line has no effect%s%s%s", u->name, u->nearest ? " (" : "",
		 u->nearest ? u->nearest : "", u->nearest ? " is meant?)" : "");
	return out;
}

const char *conf_dir(const struct conf *c)
{
	return c->dir;
}

const char *conf_path(const struct conf *c)
{
	return c->path;
}

const char *conf_notes(const struct conf *c)
{
	return buf_str(&c->notes);
}

/* A value that is replaced is kept: callers may still hold it. */
static int forget_values(struct conf *c)
{
	for (int p = 0; p < CONF_PARAMS; p++) {
		char **more = NULL;

		if (!c->values[p])
			continue;
		more = array_room(c->old, c->nold, &c->old_room, sizeof(*more));
		if (!more)
			return -1;
		c->old = more;
		more[c->nold++] = c->values[p];
		c->values[p] = NULL;
	}
	return 0;
}

int conf_set(struct conf *c, const char *name, const char *value, struct error *err)
{
	int p = conf_find(name);

	if (p < 0 && !conf_postfix_knows(name)) {
		const char *nearest = conf_nearest(name);

		return error_set(err, REASON_USAGE, "there is no parameter %s%s%s%s", name,
				 nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
	}
	if (forget_values(c) < 0)
		return error_set(err, REASON_SYSTEM, "out of memory");
	if (add_entry(c, span_of(name), span_trim(span_of(value)), 0, err) < 0)
		return -1;
	if (p >= 0 && conf_check_value(c, (enum conf_param)p, err) < 0) {
		struct conf_entry *e = &c->entries[--c->nentries];

		free(e->name);
		free(e->raw);
		forget_values(c);
		return -1;
	}
	return 0;
}
