#include "config.h"
#include "mail/listing.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* postqueue's layout for long queue ids, so that what parses the one parses the other. */
#define ROW_FORMAT "%-17s %8" PRIu64 " %19.19s "
#define TEXT_FORMAT "%-17s %8s %-19s "

enum { REASON_COLUMN = 76, TEXT_MAX = 2048 };

void listing_text_head(struct buf *out)
{
	buf_addf(out, TEXT_FORMAT "%s\n", "----Queue ID-----", "--Size--", "---Arrival Time----",
		 "--Sender/Recipient------");
}

static void put_time(char *s, size_t size, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	size_t n = 0;

	if (localtime_r(&t, &tm))
		n = strftime(s, size, "%a %b %e %H:%M:%S", &tm);
	s[n] = '\0';
}

static void put_address(struct buf *out, const char *address, bool masked)
{
	if (masked)
		buf_adds(out, "(not shown)");
	else if (!*address)
		buf_adds(out, "MAILER-DAEMON");
	else
		text_printable(out, address, strlen(address), TEXT_MAX);
}

/* A reason is said once for neighbours that share it, before them, to the right. */
static void put_reason(struct buf *out, const char *reason)
{
	struct buf shown;

	buf_init(&shown, TEXT_MAX * 2);
	text_printable(&shown, reason, strlen(reason), TEXT_MAX);
	buf_addf(out, "%*s(%s)\n", shown.len < REASON_COLUMN ? (int)(REASON_COLUMN - shown.len) : 0, "", buf_str(&shown));
	buf_free(&shown);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static void put_recipient(struct buf *out, const struct listing_row *r, size_t i)
{
	buf_addf(out, TEXT_FORMAT, "", "", "");
	put_address(out, r->recipients[i].address, r->masked);
	buf_adds(out, "\n");
}

void listing_text_row(struct buf *out, const struct listing_row *r)
{
	char id[64], when[40];

	snprintf(id, sizeof(id), "%s%s", r->id, r->active ? "*" : r->held ? "!" : r->failed ? "#" : "");
	put_time(when, sizeof(when), r->arrival);
	buf_addf(out, ROW_FORMAT, id, r->size, when);
	put_address(out, r->sender, r->masked);
	buf_adds(out, "\n");
	for (size_t i = 0; i < r->nrecipients; i++) {
		const char *reason = r->recipients[i].reason;

		if (reason && *reason && (!i || !same_text(reason, r->recipients[i - 1].reason)))
			put_reason(out, reason);
		put_recipient(out, r, i);
	}
	buf_adds(out, "\n");
}

void listing_text_foot(struct buf *out, const struct listing_totals *t)
{
	if (!t->messages)
		buf_adds(out, "Mail queue is empty\n");
	else
		buf_addf(out, "-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", t->bytes / 1024, t->messages,
			 t->messages == 1 ? "" : "s");
}

/* ---- JSON */

static void put_string(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "\"%s\": \"", name);
	text_json(out, value, strlen(value));
	buf_adds(out, "\"");
}

static const char *state_word(char state)
{
	return state == 'h' ? "held" : state == 'f' ? "failed" : state == 's' ? "sent" : "queued";
}

static void json_recipient(struct buf *out, const struct listing_recipient *r, bool masked)
{
	buf_adds(out, "{");
	put_string(out, "address", masked ? "(not shown)" : r->address);
	if (r->reason && *r->reason) {
		buf_adds(out, ", ");
		put_string(out, "delay_reason", r->reason);
	}
	if (!masked && r->original && *r->original && strcmp(r->original, r->address) != 0) {
		buf_adds(out, ", ");
		put_string(out, "original", r->original);
	}
	if (r->dsn && *r->dsn) {
		buf_adds(out, ", ");
		put_string(out, "dsn", r->dsn);
	}
	buf_adds(out, ", ");
	put_string(out, "state", state_word(r->state));
	buf_addf(out, ", \"attempts\": %u, \"next_attempt\": %" PRId64 "}", r->attempts, r->next_attempt / 1000000);
}

static bool was_tried(const struct listing_row *r)
{
	for (size_t i = 0; i < r->nrecipients; i++)
		if (r->recipients[i].attempts || (r->recipients[i].reason && *r->recipients[i].reason))
			return true;
	return false;
}

static const char *queue_name(const struct listing_row *r)
{
	return r->held ? "hold" : r->failed ? "failed" : r->active ? "active" : was_tried(r) ? "deferred" : "incoming";
}

void listing_json_row(struct buf *out, const struct listing_row *r)
{
	buf_adds(out, "{");
	put_string(out, "queue_name", queue_name(r));
	buf_adds(out, ", ");
	put_string(out, "queue_id", r->id);
	buf_addf(out, ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRIu64 ", \"forced_expire\": false, ",
		 r->arrival / 1000000, r->size);
	put_string(out, "sender", r->masked ? "(not shown)" : *r->sender ? r->sender : "MAILER-DAEMON");
	buf_addf(out, ", \"uid\": %u, \"recipients\": [", r->uid);
	for (size_t i = 0; i < r->nrecipients; i++) {
		if (i)
			buf_adds(out, ", ");
		json_recipient(out, &r->recipients[i], r->masked);
	}
	buf_adds(out, "]}\n");
}
