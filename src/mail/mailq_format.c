#include "config.h"
#include "mail/mailq_format.h"
#include "base/text/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* postqueue's layout for long queue ids, so that what parses the one parses the other. */
enum {
	ID_COLUMNS = 17,
	SIZE_COLUMNS = 8,
	TIME_COLUMNS = 19,
	TEXT_COLUMN = ID_COLUMNS + 1 + SIZE_COLUMNS + 1 + TIME_COLUMNS + 1
};
enum { REASON_COLUMN = 76, TEXT_MAX = 2048 };

void listing_text_head(struct buf *out)
{
	buf_adds(out, "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n");
}

/* The id with its mark, then blanks. */
static void put_id(struct buf *out, const struct listing_row *r)
{
	char id[64];

	snprintf(id, sizeof(id), "%s%s", r->id, r->active ? "*" : r->held ? "!" : r->failed ? "#" : "");
	buf_addf(out, "%-*s ", ID_COLUMNS, id);
}

/* "Sun Nov  1 02:03:04", local time. */
static void put_time(struct buf *out, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[TIME_COLUMNS + 1] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%a %b %e %T", &tm);
	buf_addf(out, "%-*s ", TIME_COLUMNS, text);
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
	struct buf text;

	buf_init(&text, TEXT_MAX + 2);
	buf_addc(&text, '(');
	text_printable(&text, reason, strlen(reason), TEXT_MAX);
	buf_addf(out, "%*s)\n", REASON_COLUMN + 1, buf_str(&text));
	buf_free(&text);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static void put_recipient(struct buf *out, const struct listing_row *r, size_t i)
{
	buf_addf(out, "%*s", TEXT_COLUMN, "");
	put_address(out, r->recipients[i].address, r->masked);
	buf_adds(out, "\n");
}

static void text_begin(struct buf *out, const struct listing_row *r)
{
	put_id(out, r);
	buf_addf(out, "%*" PRIu64 " ", SIZE_COLUMNS, r->size);
	put_time(out, r->arrival);
	put_address(out, r->sender, r->masked);
	buf_adds(out, "\n");
}

static void text_recipients(struct buf *out, const struct listing_row *r)
{
	for (size_t i = 0; i < r->nrecipients; i++) {
		const char *reason = r->recipients[i].reason;

		if (reason && *reason && (!i || !same_text(reason, r->recipients[i - 1].reason)))
			put_reason(out, reason);
		put_recipient(out, r, i);
	}
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

static const char *state_word(char state)
{
	return state == 'h' ? "held" : state == 'f' ? "failed" : state == 's' ? "sent" : "queued";
}

static void json_recipient(struct buf *out, const struct listing_recipient *r, bool masked)
{
	buf_adds(out, "{");
	text_json_member(out, "address", masked ? "(not shown)" : r->address);
	if (r->reason && *r->reason)
		text_json_member(out, "delay_reason", r->reason);
	if (r->why)
		text_json_member(out, "reason", reason_name(r->why));
	if (r->original && *r->original && strcmp(r->original, r->address) != 0)
		text_json_member(out, "original", r->original);
	if (r->dsn && *r->dsn)
		text_json_member(out, "dsn", r->dsn);
	text_json_member(out, "state", state_word(r->state));
	if (!masked)
		buf_addf(out, ", \"attempts\": %u, \"next_attempt\": %" PRId64, r->attempts, r->next_attempt / 1000000);
	buf_adds(out, "}");
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

void listing_begin(struct buf *out, const struct listing_row *r, bool json)
{
	if (!json) {
		text_begin(out, r);
		return;
	}
	buf_adds(out, "{");
	text_json_member(out, "queue_name", queue_name(r));
	text_json_member(out, "queue_id", r->id);
	buf_addf(out, ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRIu64 ", \"forced_expire\": false",
		 r->arrival / 1000000, r->size);
	text_json_member(out, "sender", r->masked ? "(not shown)" : *r->sender ? r->sender : "MAILER-DAEMON");
	buf_addf(out, ", \"uid\": %u, \"recipients\": [", r->uid);
}

void listing_recipients(struct buf *out, const struct listing_row *r, bool json)
{
	if (!json) {
		text_recipients(out, r);
		return;
	}
	for (size_t i = 0; i < r->nrecipients; i++) {
		if (i || r->continued)
			buf_adds(out, ", ");
		json_recipient(out, &r->recipients[i], r->masked);
	}
}

void listing_end(struct buf *out, bool json)
{
	buf_adds(out, json ? "]}\n" : "\n");
}
