/* confine.c: the paths, from main.cf. */
#include "config.h"
#include "outpostd/outpostd.h"

#include <libgen.h>
#include <string.h>

#include "base/log.h"
#include "base/process/sandbox.h"
#include "base/text/text.h"

enum { PATHS_MAX = 24 };

struct list {
	struct sandbox_path paths[PATHS_MAX];
	char names[PATHS_MAX][1200];
	size_t n;
};

static void add(struct list *l, const char *path, size_t len, bool parent)
{
	char *name = l->names[l->n];

	if (l->n == PATHS_MAX || len == 0 || len >= sizeof(l->names[0]) || path[0] != '/')
		return;
	memcpy(name, path, len);
	name[len] = '\0';
	l->paths[l->n++] = (struct sandbox_path){.path = parent ? dirname(name) : name, .write = true};
}

/* What a program of the administrator's writes is unknown; a file of tokens is written anew when they are renewed. */
static bool add_maps(struct outpostd *d, struct list *l)
{
	struct span rest = span_of(conf_str(d->conf, P_smtp_sasl_password_maps)), word;
	static const char program[] = "exec:";
	char tokens[1200];

	while (span_word(&rest, ", \t\n", &word))
		if (word.n > sizeof(program) - 1 && memcmp(word.p, program, sizeof(program) - 1) == 0)
			return false;
	for (size_t i = 0; credentials_oauth2_tokens(d->conf, i, tokens, sizeof(tokens)); i++)
		add(l, tokens, strlen(tokens), true);
	return true;
}

void confine(struct outpostd *d)
{
	static bool done;
	static struct list l;
	const char *log = conf_str(d->conf, P_maillog_file);

	if (done || !add_maps(d, &l))
		return;
	done = true;
	l.paths[l.n++] = (struct sandbox_path){.path = "/", .exec = true};
	l.paths[l.n++] = (struct sandbox_path){.path = "/dev", .write = true};
	l.paths[l.n++] = (struct sandbox_path){.path = "/tmp", .write = true};
	add(&l, d->queue_dir, strlen(d->queue_dir), false);
	add(&l, d->door.path, strlen(d->door.path), true);
	add(&l, log, strlen(log), true);
	if (!sandbox_files(l.paths, l.n))
		log_line(LOG_DEBUGGING, "outpostd", 0, "this kernel does not confine us to our files (no Landlock)");
}
