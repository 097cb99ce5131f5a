/* cmd_import.c: `outpost import`: shows what it would write, asks, and writes it. */
#include "config.h"
#include "outpost/import/import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "outpost/command.h"
#include "outpost/term/diff.h"

enum { NOTES_MAX = 64 << 10 };

static const struct {
	const char *name, *path;
	bool is_file;		/* the path: otherwise a directory */
	import_reader read;
} programs[] = {
	{"postfix", "/etc/postfix", false, import_postfix},
	{"msmtp", "/etc/msmtprc", true, import_msmtp},
	{"nullmailer", "/etc/nullmailer", false, import_nullmailer},
	{"dma", "/etc/dma", false, import_dma},
	{"ssmtp", "/etc/ssmtp", false, import_ssmtp},
};

/* The file as it is now; empty when there is none. */
static int read_old(const char *path, struct buf *old, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0 && errno == ENOENT)
		return 0;
	return io_read_file(path, true, old, NULL, err);
}

static int show_file(const struct import *im, const struct import_file *f, bool *changed, struct error *err)
{
	char path[PATH_MAX];
	struct buf old;
	int rc;

	if (f->text.len == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", im->dir, f->name);
	buf_init(&old, LIMIT_CONF_FILE);
	rc = read_old(path, &old, err);
	if (rc == 0)
		*changed |= diff_print(path, &old, &f->text, f->secret);
	buf_wipe(&old);
	return rc;
}

/* The old file stays beside the new one. */
static int keep_old(const char *path, struct error *err)
{
	char kept[PATH_MAX + 8];

	snprintf(kept, sizeof(kept), "%s.old", path);
	if (unlink(kept) < 0 && errno != ENOENT)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot remove %s", kept);
	if (link(path, kept) < 0 && errno != ENOENT)
		return error_sys(err, REASON_CANNOT_CREATE, "cannot keep %s as %s", path, kept);
	return 0;
}

static int write_file(const struct import *im, const struct import_file *f, struct error *err)
{
	char path[PATH_MAX];

	if (f->text.len == 0)
		return 0;
	if (!buf_ok(&f->text))
		return error_set(err, REASON_DATA, "%s would be too large", f->name);
	snprintf(path, sizeof(path), "%s/%s", im->dir, f->name);
	if (keep_old(path, err) < 0)
		return -1;
	return io_replace_file(path, f->text.data, f->text.len, f->secret ? 0600 : 0644, err);
}

/* By the new configuration: password maps get the mode that outpost can read. */
static void set_modes(struct context *c)
{
	struct error err = {0};

	if (context_fix_modes(c, &err) < 0)
		fail(&err);
}

static int show_and_write(struct context *c, struct import *im, struct error *err)
{
	bool changed = false;

	for (size_t i = 0; i < im->nfiles; i++)
		if (show_file(im, &im->files[i], &changed, err) < 0)
			return -1;
	if (im->notes.len)
		term_print("\n%s", buf_str(&im->notes));
	if (!changed)
		printf("Nothing to change.\n");
	if (!changed || option_given(c, "dry-run"))
		return 0;
	if (!option_given(c, "yes") && !term_confirm("\nWrite this?", false))
		return error_set(err, REASON_USAGE, "nothing was written (--yes writes without asking)");
	/* main.cf last: a running outpostd reads it again at any time, and then the maps it names are there. */
	for (size_t i = im->nfiles; i-- > 0;)
		if (write_file(im, &im->files[i], err) < 0)
			return -1;
	set_modes(c);
	printf("Written. `outpost check` tries it.\n");
	return 0;
}

/* The directory, where a file in it was named. */
static const char *directory_of(const char *given, char *room, size_t size)
{
	struct stat st;
	char *slash;

	if (stat(given, &st) < 0 || S_ISDIR(st.st_mode) || snprintf(room, size, "%s", given) >= (int)size)
		return given;
	slash = strrchr(room, '/');
	if (!slash)
		return ".";
	slash[slash == room] = 0;
	return room;
}

static int run(struct context *c)
{
	char directory[PATH_MAX];
	const char *path;
	size_t n = sizeof(programs) / sizeof(programs[0]), i = 0;
	struct import im = {.dir = c->dir};
	struct error err = {0};
	int rc;

	while (i < n && strcmp(programs[i].name, c->argv[0]) != 0)
		i++;
	if (i == n)
		return fail_usage(c, "import knows postfix, msmtp, nullmailer, dma and ssmtp");
	for (size_t k = 0; k < IMPORT_FILES; k++)
		buf_init(&im.files[k].text, LIMIT_CONF_FILE);
	buf_init(&im.notes, NOTES_MAX);
	im.main_cf = import_file(&im, "main.cf", false);
	buf_addf(im.main_cf, "# made by `outpost import %s`; see main.cf(5)\n", programs[i].name);
	path = c->argc > 1 ? c->argv[1] : programs[i].path;
	if (!programs[i].is_file)
		path = directory_of(path, directory, sizeof(directory));
	rc = programs[i].read(&im, path, &err);
	if (rc < 0 && error_exit(&err) == EX_NOINPUT && c->argc == 1) {
		size_t end = strlen(err.text);

		snprintf(err.text + end, sizeof(err.text) - end, "; if it is elsewhere: outpost import %s PATH",
			 programs[i].name);
	}
	if (rc == 0)
		rc = show_and_write(c, &im, &err);
	for (size_t k = 0; k < IMPORT_FILES; k++)
		buf_wipe(&im.files[k].text);
	buf_free(&im.notes);
	return rc < 0 ? fail(&err) : EX_OK;
}

static const struct command_option options[] = {
	{"dry-run", 'n', NULL, "show what would be written"},
	{"yes", 'y', NULL, "write without asking"},
	{NULL, 0, NULL, NULL},
};

const struct command command_import = {
	.name = "import",
	.args = "postfix|msmtp|nullmailer|dma|ssmtp [PATH]",
	.help = "make main.cf and sasl_passwd from another program's configuration",
	.more = "PATH is the other program's directory (msmtp: file); its usual place otherwise. What would be written "
		"is\n"
		"shown first, passwords masked. Files that are replaced are kept with .old behind their names.\n",
	.options = options,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
