/*
 * What this host itself says: its name, its domain, and the files behind values (/etc/mailname).
 */
#include "config.h"
#include "conf/internal.h"
#include "base/io.h"

#include <string.h>
#include <unistd.h>

static void system_name(char *name, size_t size)
{
	if (gethostname(name, size) < 0 || !name[0])
		memcpy(name, "localhost", sizeof("localhost"));
	name[size - 1] = '\0';
}

/* The host's name completed with mydomain; mydomain from main.cf only, or both would ask each other. */
static const char *default_hostname(struct conf *c, struct buf *room)
{
	char name[256];

	system_name(name, sizeof(name));
	buf_adds(room, name);
	if (strchr(name, '.'))
		return buf_str(room);
	buf_adds(room, conf_entry(c, "mydomain") ? ".$mydomain" : ".localdomain");
	return buf_str(room);
}

static const char *default_domain(struct conf *c, struct buf *room)
{
	const struct conf_entry *e = conf_entry(c, "myhostname");
	const char *dot;
	char name[256];

	if (e && !strchr(e->raw, '$') && (dot = strchr(e->raw, '.')) && dot[1])
		return buf_adds(room, dot + 1) == 0 ? buf_str(room) : NULL;
	system_name(name, sizeof(name));
	dot = strchr(name, '.');
	buf_adds(room, dot && dot[1] ? dot + 1 : "localdomain");
	return buf_str(room);
}

/* A name without a domain gets ours: it goes into From and EHLO, where the world reads it. */
static const char *complete(struct buf *room, bool origin)
{
	if (origin && (room->len == 0 || strcasecmp(buf_str(room), "localhost") == 0))
		return "$myhostname";
	if (!strchr(buf_str(room), '.'))
		buf_adds(room, ".$mydomain");
	return buf_str(room);
}

bool conf_host_completes(int p, const char *raw)
{
	if (p == P_myorigin && raw[0] == '/')
		return true;
	if (p == P_door_socket)
		return !raw[0];
	return (p == P_myorigin || p == P_myhostname) && raw[0] && !strpbrk(raw, ".$:[]");
}

/* The first line that is no comment. */
static const char *first_line(struct conf *c, const char *path, struct buf *room)
{
	struct span rest, line;
	struct error err;
	struct buf text;

	conf_watch(c, path, &err); /* without memory for that: the file is read now, changes are not seen */
	buf_init(&text, 65536);
	if (io_read_file(path, false, &text, NULL, &err) < 0) {
		conf_note(c, "%s:%u: myorigin: %s; myhostname is used", c->path, conf_line(c, P_myorigin), err.text);
		buf_free(&text);
		return "$myhostname";
	}
	rest = buf_span(&text);
	while (span_word(&rest, "\r\n", &line)) {
		line = span_trim(line);
		if (line.n && line.p[0] != '#' && !memchr(line.p, '$', line.n)) {
			buf_add(room, line.p, line.n);
			break;
		}
	}
	buf_free(&text);
	return complete(room, true);
}

const char *conf_host_default(struct conf *c, enum conf_param p, struct buf *room)
{
	const struct conf_entry *e;

	switch (p) {
	case P_myhostname:
		e = conf_entry(c, "myhostname");
		return e && buf_adds(room, e->raw) == 0 ? complete(room, false) : default_hostname(c, room);
	case P_mydomain:
		return default_domain(c, room);
	case P_myorigin:
		e = conf_entry(c, "myorigin");
		if (e && e->raw[0] == '/')
			return first_line(c, e->raw, room);
		return e && buf_adds(room, e->raw) == 0 ? complete(room, true) : NULL;
	case P_queue_directory: /* a configuration named by -C has a queue of its own */
		if (strcmp(c->dir, SYSCONFDIR) == 0)
			return NULL;
		buf_adds(room, c->dir);
		buf_adds(room, "/queue");
		return buf_str(room);
	case P_door_socket:
		return strcmp(c->dir, SYSCONFDIR) == 0 ? RUNDIR "/door" : "$queue_directory/door";
	default:
		return NULL;
	}
}

const char *conf_myhostname(struct conf *c)
{
	const char *name = conf_str(c, P_myhostname);

	return *name ? name : "localhost.localdomain";
}

const char *conf_myorigin(struct conf *c)
{
	const char *name = conf_str(c, P_myorigin);

	return *name ? name : conf_myhostname(c);
}
