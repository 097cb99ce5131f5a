#include "config.h"
#include "outpost/active.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "outpost/select.h"

enum { PATIENCE_MS = 2000, ACTIVE_MAX = 100000 };

static int take_id(void *arg, char prefix, const char *p, size_t n)
{
	struct active *a = arg;
	char typed[QUEUE_ID];
	void *more;

	if (prefix != '>' || n == 0 || n >= sizeof(typed) || a->n >= ACTIVE_MAX)
		return 0;
	memcpy(typed, p, n);
	typed[n] = 0;
	more = realloc(a->ids, (a->n + 1) * sizeof(*a->ids));
	if (!more)
		return -1;
	a->ids = more;
	a->n += select_id(typed, a->ids[a->n]);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

void active_ask(struct context *c, struct active *out)
{
	const char *const words[] = {"active"};
	struct control_sink sink = {out, take_id};
	struct error answer = {0}, err = {0};
	char path[PATH_MAX];

	*out = (struct active){0};
	if (context_admin_path(c, path, sizeof(path), &err) < 0 ||
	    control_ask(path, words, 1, &sink, deadline_in_ms(PATIENCE_MS), &answer, &err) != EX_OK)
		active_free(out);
	if (out->n)
		qsort(out->ids, out->n, sizeof(*out->ids), by_id);
}

bool active_has(const struct active *a, const char *id)
{
	return a->n && bsearch(id, a->ids, a->n, sizeof(*a->ids), by_id) != NULL;
}

void active_free(struct active *a)
{
	free(a->ids);
	*a = (struct active){0};
}
