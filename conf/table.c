#include "config.h"
#include "conf/internal.h"

#include <stdlib.h>
#include <string.h>

const struct conf_info conf_table[CONF_PARAMS] = {
#define PARAM(name, type, def, allowed, help) {#name, type, def, allowed, help},
#include "conf/params.def"
#undef PARAM
};

/* One after the other, each with its NUL, and an empty one: an array of pointers would be work for the dynamic linker
 * at each start of sendmail, which asks for none of them. */
static const char postfix_names[] =
#define POSTFIX(name) #name "\0"
#include "conf/postfix.def"
#undef POSTFIX
;

enum { NAME_MAX_LEN = 80 };

static const char *next_name(const char *name)
{
	return name + strlen(name) + 1;
}

int conf_find(const char *name)
{
	for (int p = 0; p < CONF_PARAMS; p++)
		if (conf_table[p].name[0] == name[0] && strcmp(conf_table[p].name, name) == 0)
			return p;
	return -1;
}

static bool in_postfix(const char *name)
{
	for (const char *known = postfix_names; *known; known = next_name(known))
		if (strcmp(known, name) == 0)
			return true;
	return false;
}

/* relay_destination_concurrency_limit and the like: any transport's name in front. */
static bool is_per_transport(const char *name)
{
	for (const char *rest = strchr(name, '_'); rest; rest = strchr(rest + 1, '_')) {
		char generic[NAME_MAX_LEN] = "transport";

		if (!strchr(rest + 1, '_') || strlen(rest) + strlen(generic) >= sizeof(generic))
			continue; /* transport_maps is a name of its own */
		memcpy(generic + strlen("transport"), rest, strlen(rest) + 1);
		if (in_postfix(generic))
			return true;
	}
	return false;
}

bool conf_postfix_knows(const char *name)
{
	return conf_find(name) < 0 && (in_postfix(name) || is_per_transport(name));
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau and Levenshtein: letters put in, left out, changed, or two neighbours exchanged. Case does not count. */
static unsigned distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= nb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *swap;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			char x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && ascii_lower(a[i - 2]) == y)
				now[j] = least(now[j], before[j - 2] + 1);
		}
		swap = before;
		before = last;
		last = now;
		now = swap;
	}
	return last[nb];
}

/* Names that differ in length by more than the best so far need no closer look. */
static void take_nearer(const char *name, const char *other, unsigned *best, const char **found)
{
	size_t a = strlen(name), b = strlen(other);
	unsigned d = (a > b ? a - b : b - a) < *best ? distance(name, other) : *best;

	if (d < *best) {
		*best = d;
		*found = other;
	}
}

const char *conf_nearest(const char *name)
{
	unsigned best = least(4, (unsigned)strlen(name) / 4) + 1;
	const char *found = NULL;

	for (int p = 0; p < CONF_PARAMS; p++)
		take_nearer(name, conf_table[p].name, &best, &found);
	for (const char *known = postfix_names; *known; known = next_name(known))
		take_nearer(name, known, &best, &found);
	return found;
}
