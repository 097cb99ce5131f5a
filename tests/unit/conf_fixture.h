/* conf_fixture.h: a directory with a main.cf and files, for one test at a time. */
#ifndef UNIT_CONF_FIXTURE_H
#define UNIT_CONF_FIXTURE_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "conf/conf.h"

#define SECRET "s3cr3t-Wort"

static char dir[64];

static inline const char *at(const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static inline void put(const char *name, const char *text, mode_t mode)
{
	struct error err;
	const char *path = at(name);

	unlink(path);
	if (io_replace_file(path, text, strlen(text), mode, &err) < 0)
		fail_msg("%s", err.text);
}

static inline int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/outpost-conf-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A configuration from text; %D stands for the directory. */
static inline void put_main(const char *text)
{
	char whole[16384] = "";
	size_t n = 0;

	for (; *text && n + sizeof(dir) < sizeof(whole); text++) {
		if (text[0] == '%' && text[1] == 'D') {
			n += (size_t)snprintf(whole + n, sizeof(whole) - n, "%s", dir);
			text++;
		} else {
			whole[n++] = *text;
		}
	}
	whole[n] = '\0';
	put("main.cf", whole, 0600);
}

static inline struct conf *load(const char *text)
{
	struct conf *c = NULL;
	struct error err = {0};

	put_main(text);
	if (conf_load(dir, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static inline struct error refused(const char *text)
{
	struct conf *c = NULL;
	struct error err = {0};

	put_main(text);
	if (conf_load(dir, &c, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_null(strstr(err.text, SECRET));
	return err;
}

static inline void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* A test in a directory of its own. */
#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
