/*
 * postmap.c: postmap and postalias. Nothing is built: the file is read once to see that it can be, and a key is looked
 * up as the programs here would.
 */
#include "config.h"
#include "outpost/postfix/postfix_names.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files/trust.h"
#include "base/limits.h"
#include "base/text/text.h"

/* A map is opened as the value of a parameter, which says how its file is written. */
struct kind {
	const char *name;
	enum conf_param as;
};

/* A map can be tried before there is a main.cf. */
static int fix_modes(struct context *c)
{
	struct error err = {0};

	if (context_conf(c, &err) < 0)
		return EX_OK;
	return context_fix_modes(c, &err) < 0 ? fail(&err) : EX_OK;
}

/* All but "static:", "inline:" and the like. */
static bool names_file(const char *map, const char *path)
{
	static const char *const others[] = {"static:", "inline:", "exec:", "oauth2:"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strlen(others[i]) == (size_t)(path - map) && strncmp(map, others[i], (size_t)(path - map)) == 0)
			return false;
	return map[0] != '{';
}

/* A map that holds no passwords, so that its mode does not matter here. */
static int open_map(const struct kind *kind, const char *dir, const char *map, struct conf **conf, struct maps **maps,
		    struct error *err)
{
	const char *parameter = conf_table[kind->as].name, *path = map + strcspn(map, ":/");
	char absolute[PATH_MAX], text[PATH_MAX + 16];
	size_t n = strlen(parameter);

	path = *path == ':' ? path + 1 : map;
	if (names_file(map, path) && trust_become(path, err) < 0)
		return -1;
	/* What is named from here is here, and not beside main.cf. */
	if (names_file(map, path) && realpath(path, absolute))
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(path - map), map, path == map ? "hash:" : "", absolute);
	else
		snprintf(text, sizeof(text), "%s%s", path == map ? "hash:" : "", map);
	/* An alias file that is not there is none for who sends mail; who names it is told. */
	if (names_file(map, path) && access(path, F_OK) < 0)
		return error_sys(err, REASON_CONFIG, "cannot open %s", path);
	if (conf_defaults(dir, conf, err) == 0 && conf_set(*conf, parameter, text, err) == 0 &&
	    maps_open(conf_map_list(*conf, kind->as), maps, err) == 0)
		return 0;
	if (strncmp(err->text, parameter, n) == 0 && strncmp(err->text + n, ": ", 2) == 0)
		memmove(err->text, err->text + n + 2, strlen(err->text + n + 2) + 1);
	return -1;
}

/* 1: found, and printed; 0: not there. Without a key the file is only read. */
static int try_map(const struct kind *kind, const char *dir, const char *map, const char *key, bool with_key,
		   struct error *err)
{
	struct maps *maps = NULL;
	struct conf *conf = NULL;
	const char *source;
	struct buf value;
	unsigned line;
	int rc;

	buf_init(&value, LIMIT_ADDRESS * 8);
	rc = open_map(kind, dir, map, &conf, &maps, err);
	line = maps_bad_line(maps, &source);
	if (line && !key)
		fprintf(stderr, "%s: %s:%u: this line is not \"name: address\" and has no effect\n", kind->name, source,
			line);
	if (rc == 0)
		rc = maps_get(maps, key ? key : kind->name, &value, err);
	if (rc > 0 && key)
		term_print("%s%s%s\n", with_key ? key : "", with_key ? "\t" : "", buf_str(&value));
	maps_free(maps);
	conf_free(conf);
	buf_wipe(&value);
	return rc;
}

/* Keys from standard input, one a line: what is found is printed as "key TAB value". */
static int query_stdin(const struct kind *kind, const char *dir, const char *map, struct error *err)
{
	char line[1024];
	int found = 1;

	while (fgets(line, sizeof(line), stdin)) {
		int rc;

		line[strcspn(line, "\r\n")] = 0;
		rc = *line ? try_map(kind, dir, map, line, true, err) : 0;
		if (rc < 0)
			return fail(err);
		if (rc > 0)
			found = EX_OK;
	}
	return found;
}

static int query(const struct kind *kind, const char *dir, const char *map, const char *key, struct error *err)
{
	int rc;

	if (strcmp(key, "-") == 0)
		return query_stdin(kind, dir, map, err);
	rc = try_map(kind, dir, map, key, false, err);
	return rc < 0 ? fail(err) : rc > 0 ? EX_OK : 1;
}

static int run(const struct kind *kind, struct context *c, int argc, char **argv)
{
	static const char how[] = "[-c DIR] [-q KEY | -q -] MAP ...";
	const char *key = NULL;
	struct error err = {0};
	int letter;

	optind = 1;
	while ((letter = getopt(argc, argv, "c:d:q:bfhimnNoprsuUvwF")) != -1) {
		if (letter == 'c')
			command_use_config(c, optarg);
		if (letter == 'q')
			key = optarg;
		if (letter == 'd' || letter == 'i' || letter == 's') {
			fprintf(stderr,
				"%s: -%c is not needed here: the map is the text file itself; edit or read it\n",
				kind->name, letter);
			return EX_USAGE;
		}
		if (letter == '?')
			return postfix_usage(kind->name, how);
	}
	if (optind == argc)
		return postfix_usage(kind->name, how);
	for (int i = optind; i < argc; i++) {
		if (key)
			return query(kind, c->dir, argv[i], key, &err);
		if (try_map(kind, c->dir, argv[i], NULL, false, &err) < 0)
			return fail(&err);
		printf("%s can be read; nothing needs to be built, outpost reads the text itself\n", argv[i]);
	}
	return fix_modes(c);
}

int postmap(struct context *c, int argc, char **argv)
{
	return run(&(struct kind){"postmap", P_canonical_maps}, c, argc, argv);
}

int postalias(struct context *c, int argc, char **argv)
{
	return run(&(struct kind){"postalias", P_alias_maps}, c, argc, argv);
}
