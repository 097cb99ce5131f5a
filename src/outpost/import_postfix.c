/* import_postfix.c: Postfix's main.cf is ours; what has no use here is left behind, password files are taken along. */
#include "config.h"
#include "outpost/import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
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

/* The text of "hash:PATH" that is a password map goes into our sasl_passwd. */
static int take_passwords(struct import *im, const char *path, struct error *err)
{
	struct error why = {0};

	(void)err;
	if (io_read_file(path, false, &im->passwd, NULL, &why) == 0)
		return 0;
	import_note(im, "the password map could not be read: %s", why.text);
	return 0;
}

static int add_password_maps(struct import *im, const char *raw, struct error *err)
{
	const char *slash = strchr(raw, '/');
	char path[PATH_MAX];

	if (strncmp(raw, "static:", 7) == 0 || strncmp(raw, "inline:", 7) == 0 || !slash || strchr(raw, ',') ||
	    strpbrk(slash, " \t$")) {
		buf_addf(&im->main_cf, "smtp_sasl_password_maps = %s\n", raw);
		return 0;
	}
	snprintf(path, sizeof(path), "%s", slash);
	if (take_passwords(im, path, err) < 0)
		return -1;
	buf_addf(&im->main_cf, "smtp_sasl_password_maps = hash:%s/sasl_passwd\n", im->dir);
	return 0;
}

int import_postfix(struct import *im, const char *path, struct error *err)
{
	const struct conf_unused *unused;
	struct conf *c;
	size_t n;
	int rc = 0;

	if (conf_load(path, &c, err) < 0)
		return -1;
	for (int p = 0; rc == 0 && p < CONF_PARAMS; p++) {
		if (!conf_is_set(c, p) || stays_behind(p))
			continue;
		if (p == P_smtp_sasl_password_maps)
			rc = add_password_maps(im, conf_raw(c, p), err);
		else
			buf_addf(&im->main_cf, "%s = %s\n", conf_table[p].name, conf_raw(c, p));
		if (p != P_smtp_sasl_password_maps && strstr(conf_raw(c, p), path))
			import_note(im, "%s still names a file under %s: move it before Postfix is purged", conf_table[p].name, path);
	}
	n = conf_unused(c, &unused);
	if (n)
		import_note(im, "%zu %s no use here and %s left behind.", n, n == 1 ? "line has" : "lines have", n == 1 ? "is" : "are");
	conf_free(c);
	return rc;
}
