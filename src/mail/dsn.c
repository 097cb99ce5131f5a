#include "config.h"
#include "mail/dsn.h"
#include "base/text/text.h"
#include "mail/header.h"

#include <string.h>

enum { TEXT_MAX = 1500, SHOWN_RECIPIENTS = 1000 };

static const struct {
	const char *word;	/* of RFC 3464 */
	const char *subject;
	const char *opening;
} actions[] = {
	[DSN_ACTION_FAILED] = {"failed", "Undelivered Mail Returned to Sender",
		"Your message could not be delivered to one or more recipients.\n"
		"It will not be tried again. The reason stands below, in the words of\n"
		"the mail server that refused it; the message is attached.\n"},
	[DSN_ACTION_DELAYED] = {"delayed", "Delayed Mail (still being retried)",
		"THIS IS A WARNING ONLY. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.\n"
		"\n"
		"Your message could not be delivered yet. It stays in the queue and is\n"
		"tried again by itself.\n"},
	[DSN_ACTION_DELIVERED] = {"delivered", "Successful Mail Delivery Report",
		"Your message was delivered to the recipients below.\n"},
	[DSN_ACTION_RELAYED] = {"relayed", "Successful Mail Delivery Report",
		"Your message was handed to the next mail server for the recipients\n"
		"below. That server sends no delivery reports: this is the last one.\n"},
	[DSN_ACTION_EXPANDED] = {"expanded", "Successful Mail Delivery Report",
		"Your message was passed on to the addresses behind the recipients below.\n"},
};

static void put_printable(struct buf *out, const char *s)
{
	text_printable(out, s, strlen(s), TEXT_MAX);
}

/* What a person reads, wrapped at 78 columns, four blanks in front. */
static void put_wrapped(struct buf *out, const char *s)
{
	struct buf clean;
	struct span rest, word;
	size_t column = 0;

	buf_init(&clean, TEXT_MAX * 2);
	put_printable(&clean, s);
	rest = buf_span(&clean);
	while (span_word(&rest, " ", &word)) {
		if (column && column + 1 + word.n > 74) {
			buf_adds(out, "\n");
			column = 0;
		}
		buf_adds(out, column ? " " : "    ");
		buf_add(out, word.p, word.n);
		column += word.n + 1;
	}
	buf_adds(out, "\n");
	buf_free(&clean);
}

static bool any_8bit(const struct dsn_report *r)
{
	for (size_t i = 0; i < r->nrecipients; i++)
		if (text_8bit(r->recipients[i].text, strlen(r->recipients[i].text)) ||
		    text_8bit(r->recipients[i].address, strlen(r->recipients[i].address)))
			return true;
	return r->utf8;
}

static void put_top(const struct dsn_report *r, struct buf *out)
{
	const char *cte = any_8bit(r) ? "8bit" : "7bit";

	buf_adds(out, "From: Mail Delivery System <");
	put_printable(out, r->from_address);
	buf_adds(out, ">\nTo: ");
	put_printable(out, r->to);
	buf_addf(out, "\nSubject: %s\nDate: ", actions[r->action].subject);
	header_put_date(out, r->now);
	buf_addf(out, "\nMessage-ID: <%s.%s@%s>\n", r->boundary, r->queue_id, r->reporter);
	buf_addf(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
		 "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"%s\"\n"
		 "Content-Transfer-Encoding: %s\n\n", r->boundary, r->full ? "8bit" : cte);
}

static void put_person_part(const struct dsn_report *r, struct buf *out)
{
	buf_addf(out, "This is a MIME-encapsulated message.\n\n--%s\nContent-Description: Notification\n"
		 "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: %s\n\n",
		 r->boundary, any_8bit(r) ? "8bit" : "7bit");
	buf_addf(out, "This is the mail system at host %s.\n\n%s", r->reporter, actions[r->action].opening);
	if (r->action == DSN_ACTION_DELAYED && r->expires) {
		buf_adds(out, "It will be given up ");
		header_put_date(out, r->expires);
		buf_adds(out, ".\n");
	}
	for (size_t i = 0; i < r->nrecipients && i < SHOWN_RECIPIENTS; i++) {
		const struct dsn_recipient *c = &r->recipients[i];

		buf_adds(out, "\n<");
		put_printable(out, c->address);
		buf_adds(out, ">");
		if (c->original && strcmp(c->original, c->address) != 0) {
			buf_adds(out, " (written to <");
			put_printable(out, c->original);
			buf_adds(out, ">)");
		}
		buf_adds(out, ":\n");
		put_wrapped(out, c->text);
	}
	if (r->nrecipients > SHOWN_RECIPIENTS)
		buf_addf(out, "\n... and %zu more, listed in the attached report.\n",
			 r->nrecipients - SHOWN_RECIPIENTS);
	buf_adds(out, "\n");
}

static void put_address(struct buf *out, const struct dsn_report *r, const char *name, const char *address)
{
	buf_addf(out, "%s: %s; ", name, r->utf8 && text_8bit(address, strlen(address)) ? "utf-8" : "rfc822");
	put_printable(out, address);
	buf_adds(out, "\n");
}

/* "rfc822;a@b" as it came with ORCPT. */
static void put_orcpt(struct buf *out, const char *orcpt)
{
	const char *semicolon = strchr(orcpt, ';');

	if (!semicolon)
		return;
	buf_adds(out, "Original-Recipient: ");
	text_printable(out, orcpt, (size_t)(semicolon - orcpt), TEXT_MAX);
	buf_adds(out, "; ");
	put_printable(out, semicolon + 1);
	buf_adds(out, "\n");
}

static void put_date(struct buf *out, const char *name, int64_t us)
{
	buf_addf(out, "%s: ", name);
	header_put_date(out, us);
	buf_adds(out, "\n");
}

/* The relay's words are one field: they may be long, so they are folded. */
static void put_diagnostic(struct buf *out, const struct dsn_recipient *c)
{
	bool smtp = c->relay && *c->relay;
	struct buf line;

	buf_init(&line, TEXT_MAX * 2 + 100);
	buf_addf(&line, "Diagnostic-Code: %s; ", smtp ? "smtp" : "X-Outpost");
	put_printable(&line, c->text);
	buf_adds(&line, "\n");
	header_put(out, buf_span(&line));
	buf_free(&line);
}

static void put_recipient(const struct dsn_report *r, const struct dsn_recipient *c, struct buf *out)
{
	buf_adds(out, "\n");
	if (c->orcpt && *c->orcpt)
		put_orcpt(out, c->orcpt);
	else if (c->original && strcmp(c->original, c->address) != 0)
		put_address(out, r, "Original-Recipient", c->original);
	put_address(out, r, "Final-Recipient", c->address);
	buf_addf(out, "Action: %s\nStatus: %s\n", actions[r->action].word,
		 c->dsn && *c->dsn ? c->dsn : r->action == DSN_ACTION_FAILED ? "5.0.0" : "4.0.0");
	if (c->relay && *c->relay) {
		buf_adds(out, "Remote-MTA: dns; ");
		text_printable(out, c->relay, strcspn(c->relay, "[:"), TEXT_MAX);
		buf_adds(out, "\n");
	}
	put_diagnostic(out, c);
	if (c->last_attempt)
		put_date(out, "Last-Attempt-Date", c->last_attempt);
	if (r->action == DSN_ACTION_DELAYED && r->expires)
		put_date(out, "Will-Retry-Until", r->expires);
}

static void put_machine_part(const struct dsn_report *r, struct buf *out)
{
	buf_addf(out, "--%s\nContent-Description: Delivery report\nContent-Type: message/%sdelivery-status\n",
		 r->boundary, r->utf8 ? "global-" : "");
	if (any_8bit(r))
		buf_adds(out, "Content-Transfer-Encoding: 8bit\n");
	buf_addf(out, "\nReporting-MTA: dns; %s\n", r->reporter);
	if (r->envid && *r->envid) {
		buf_adds(out, "Original-Envelope-Id: ");
		put_printable(out, r->envid);
		buf_adds(out, "\n");
	}
	buf_addf(out, "X-Outpost-Queue-ID: %s\nX-Outpost-Sender: rfc822; ", r->queue_id);
	put_printable(out, r->to);
	buf_adds(out, "\n");
	put_date(out, "Arrival-Date", r->arrival);
	for (size_t i = 0; i < r->nrecipients; i++)
		put_recipient(r, &r->recipients[i], out);
	buf_adds(out, "\n");
}

int dsn_head(const struct dsn_report *r, struct buf *head, uint32_t *header_size)
{
	size_t start = head->len;

	put_top(r, head);
	*header_size = (uint32_t)(head->len - start);
	put_person_part(r, head);
	put_machine_part(r, head);
	buf_addf(head, "--%s\nContent-Description: %s\nContent-Type: %s\nContent-Transfer-Encoding: 8bit\n\n",
		 r->boundary, r->full ? "Undelivered Message" : "Undelivered Message Header",
		 r->full ? (r->utf8 ? "message/global" : "message/rfc822")
			 : (r->utf8 ? "message/global-headers" : "text/rfc822-headers"));
	return buf_ok(head) ? 0 : -1;
}

int dsn_tail(const struct dsn_report *r, struct buf *tail)
{
	return buf_addf(tail, "\n--%s--\n", r->boundary);
}
