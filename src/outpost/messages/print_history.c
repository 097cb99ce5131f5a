#include "config.h"
#include "outpost/messages/print_history.h"

#include <stdio.h>
#include <string.h>

#include "base/text/text.h"
#include "outpost/command.h"

enum { MARGIN = 18, PAGE = 200, LINE_MAX_BYTES = 64 << 10 };

static bool wanted(const struct event_filter *f, const struct queue_event *e)
{
	if (e->time < f->since || (f->kind && strcmp(f->kind, e->kind) != 0))
		return false;
	return !f->recipient || (e->recipient && strcasestr(e->recipient, f->recipient));
}

/* The time, id and event, who it was about, and behind a margin what was said. */
static void print_text(const struct queue_event *e)
{
	char when[32];

	term_print("%s  %-12s %s", words_time(e->time, when, sizeof(when)), e->id, e->kind);
	if (e->recipient && *e->recipient)
		term_print(" <%s>", e->recipient);
	if (e->text && *e->text && strcmp(e->kind, "queued") == 0) {
		term_print(" from <%s>\n", e->text);
		return;
	}
	term_print("\n");
	if (e->relay && *e->relay)
		term_print("%*sby %s\n", MARGIN, "", e->relay);
	if (e->text && *e->text) {
		term_print("%*s", MARGIN, "");
		words_wrap(e->text, MARGIN, MARGIN);
	}
}

static void member(struct buf *b, const char *name, const char *value)
{
	if (value && *value)
		text_json_member(b, name, value);
}

static void print_json(const struct queue_event *e)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	buf_addf(&b, "{\"time\": %lld.%06lld", (long long)(e->time / 1000000), (long long)(e->time % 1000000));
	member(&b, "queue_id", e->id);
	member(&b, "event", e->kind);
	member(&b, "recipient", e->recipient);
	member(&b, "relay", e->relay);
	member(&b, "dsn", e->dsn);
	member(&b, "reason", reason_name(e->reason));
	member(&b, "text", e->text);
	buf_adds(&b, "}\n");
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

int events_print(struct queue *q, const struct event_filter *f, bool json, int64_t *key, struct error *err)
{
	struct queue_event events[PAGE];
	int n;

	while ((n = queue_events(q, f->id, key, events, PAGE, err)) > 0) {
		for (int i = 0; i < n; i++) {
			if (wanted(f, &events[i])) {
				if (json)
					print_json(&events[i]);
				else
					print_text(&events[i]);
			}
			queue_event_free(&events[i]);
		}
		if (ferror(stdout))
			return error_sys(err, REASON_IO, "cannot write");
	}
	return n < 0 ? -1 : 0;
}
