#include "config.h"
#include "sendmail/find_queue.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files/trust.h"

/* -C of other sendmails names a file; a file's directory is what is meant. */
static int set_dir(struct place *p, const char *config, struct error *err)
{
	struct stat st;
	char *slash;

	if (config[0] != '/') {
		char cwd[2048];

		if (!getcwd(cwd, sizeof(cwd)) ||
		    snprintf(p->dir, sizeof(p->dir), "%s/%s", cwd, config) >= (int)sizeof(p->dir))
			return error_set(err, REASON_CONFIG, "-C %s: no such path", config);
	} else if (snprintf(p->dir, sizeof(p->dir), "%s", config) >= (int)sizeof(p->dir)) {
		return error_set(err, REASON_CONFIG, "-C: the path is too long");
	}
	if (stat(p->dir, &st) == 0 && S_ISREG(st.st_mode)) {
		slash = strrchr(p->dir, '/');
		if (slash && slash > p->dir)
			*slash = '\0';
	}
	return 0;
}

/* Root runs no configuration of others: it becomes who controls main.cf. */
static int settle_rights(const char *dir, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/main.cf", dir) >= (int)sizeof(path))
		return error_set(err, REASON_CONFIG, "-C: the path is too long");
	return trust_become(path, err);
}

/* The same directory, however it is written, is no queue of one's own. */
static bool is_system(const char *dir)
{
	struct stat a, b;

	if (strcmp(dir, SYSCONFDIR) == 0)
		return true;
	return stat(dir, &a) == 0 && stat(SYSCONFDIR, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int set_door(struct place *p, struct error *err)
{
	if (snprintf(p->door, sizeof(p->door), "%s", conf_str(p->conf, P_door_socket)) < (int)sizeof(p->door))
		return 0;
	return error_set(err, REASON_CONFIG, "door_socket is too long");
}

int place_find(struct place *p, const char *config, struct error *err)
{
	const char *env = getenv("MAIL_CONFIG");

	memset(p, 0, sizeof(*p));
	if (!config && env && *env)
		config = env;
	if (set_dir(p, config ? config : SYSCONFDIR, err) < 0)
		return -1;
	if (settle_rights(p->dir, err) < 0)
		return -1;
	p->own = !is_system(p->dir);
	if (conf_load(p->dir, &p->conf, &p->conf_error) < 0) {
		if (p->own) {
			*err = p->conf_error;
			return -1;
		}
		if (conf_defaults(p->dir, &p->conf, err) < 0)
			return -1;
	}
	return set_door(p, err);
}

uint64_t place_size_limit(const struct place *p)
{
	return p->conf_error.reason ? 0 : (uint64_t)conf_int(p->conf, P_message_size_limit);
}

void place_free(struct place *p)
{
	if (p->conf)
		conf_free(p->conf);
	p->conf = NULL;
}
