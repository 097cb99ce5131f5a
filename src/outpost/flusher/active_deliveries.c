#include "config.h"
#include "outpost/flusher/active_deliveries.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "outpost/messages/select_messages.h"
#include "outpost/flusher/health.h"

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

static void take_word(struct span line, const char *name, char *out, size_t size)
{
	size_t skip = strlen(name);

	if (line.n > skip && memcmp(line.p, name, skip) == 0)
		snprintf(out, size, "%.*s", (int)(line.n - skip), line.p + skip);
}

static int take_status(void *arg, char prefix, const char *p, size_t n)
{
	struct span line = {p, prefix == '>' ? n : 0};
	struct active *a = arg;
	char name[64] = "";

	take_word(line, "relay-error ", a->reason, sizeof(a->reason));
	take_word(line, "relay-dsn ", a->dsn, sizeof(a->dsn));
	take_word(line, "relay-reason ", name, sizeof(name));
	if (name[0])
		a->why = reason_find(name);
	return 0;
}

static bool ask(const char *path, const char *word, struct active *out, int (*line)(void *, char, const char *, size_t))
{
	struct control_sink sink = {out, line};
	struct error answer = {0}, err = {0};

	return control_ask(path, &word, 1, &sink, deadline_in_ms(PATIENCE_MS), &answer, &err) == EX_OK;
}

static void take_reason(struct active *out, enum reason why, const char *text, const char *dsn)
{
	out->why = why;
	snprintf(out->reason, sizeof(out->reason), "%s", text);
	snprintf(out->dsn, sizeof(out->dsn), "%s", dsn);
}

/* What a flusher would say if one ran. */
static void ask_oneself(struct context *c, struct queue *q, struct active *out)
{
	struct relayhost relays[HEALTH_RELAYS];
	struct queue_relay down;
	struct error err = {0};

	if (relayhost_route(c->conf, relays, HEALTH_RELAYS, &err) < 0)
		take_reason(out, err.reason, err.text, error_dsn(&err));
	else if (q && health_no_way(c, q, 0, &down, &err) == 1)
		take_reason(out, down.reason, down.text, down.dsn);
}

void active_ask(struct context *c, struct queue *q, struct active *out)
{
	struct error ignored;
	char path[PATH_MAX];

	*out = (struct active){0};
	if (context_admin_path(c, path, sizeof(path), &ignored) < 0)
		return;
	if (!ask(path, "active", out, take_id) || !ask(path, "status", out, take_status)) {
		active_free(out);
		ask_oneself(c, q, out);
	}
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
