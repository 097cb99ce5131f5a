#include "config.h"
#include "outpost/messages/active_deliveries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outpost/flusher/health.h"

enum { PATIENCE_MS = 2000, ACTIVE_MAX = 100000 };

static int take_id(void *arg, char prefix, const char *p, size_t n)
{
	struct active *a = arg;
	struct error ignored;
	char id[QUEUE_ID];

	if (prefix != '>' || n == 0 || n >= sizeof(id) || a->ids.n >= ACTIVE_MAX)
		return 0;
	memcpy(id, p, n);
	id[n] = 0;
	return select_add(&a->ids, id, &ignored);
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

static bool ask(struct context *c, const char *word, struct active *out,
		int (*line)(void *, char, const char *, size_t))
{
	struct control_sink sink = {out, line};
	struct error answer = {0};

	return context_ask(c, &word, 1, &sink, PATIENCE_MS, &answer) == EX_OK;
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
	*out = (struct active){0};
	if (!ask(c, "active", out, take_id) || !ask(c, "status", out, take_status)) {
		active_free(out);
		ask_oneself(c, q, out);
	}
	if (out->ids.n)
		qsort(out->ids.ids, out->ids.n, sizeof(*out->ids.ids), by_id);
}

bool active_has(const struct active *a, const char *id)
{
	return a->ids.n && bsearch(id, a->ids.ids, a->ids.n, sizeof(*a->ids.ids), by_id) != NULL;
}

void active_free(struct active *a)
{
	select_free(&a->ids);
	*a = (struct active){0};
}
