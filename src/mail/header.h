/*
 * header.h: reading and writing header fields. Canonical form (LF line ends) in and out.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text/text.h"

struct field {
	struct span name;
	struct span body;	/* behind the colon, folds and all, without the last line end */
	struct span raw;	/* all of it, with the last line end */
};

/* What a field means to us. */
enum field_kind {
	FIELD_OTHER,
	FIELD_FROM, FIELD_SENDER, FIELD_REPLY_TO, FIELD_ERRORS_TO, FIELD_RETURN_PATH,
	FIELD_TO, FIELD_CC, FIELD_BCC,
	FIELD_RESENT_FROM, FIELD_RESENT_SENDER, FIELD_RESENT_REPLY_TO,
	FIELD_RESENT_TO, FIELD_RESENT_CC, FIELD_RESENT_BCC, FIELD_RESENT_DATE, FIELD_RESENT_MESSAGE_ID,
	FIELD_NOTICE_TO, FIELD_DATE, FIELD_MESSAGE_ID, FIELD_SUBJECT, FIELD_RECEIVED,
	FIELD_MIME_VERSION, FIELD_CONTENT_TYPE, FIELD_CTE, FIELD_CONTENT_LENGTH,
	FIELD_KNOWN,		/* a name that mail uses, or X-anything: proof that this is a header */
};
enum field_class {
	FIELD_CLASS_SENDER = 1,	/* its addresses are senders: From, Sender, Reply-To, ... */
	FIELD_CLASS_RECIPIENT = 2,	/* its addresses are recipients */
	FIELD_CLASS_RESENT = 4,
	FIELD_CLASS_DROP = 8,		/* never leaves the machine: Bcc, Resent-Bcc, Return-Path, Content-Length */
};
enum field_kind field_kind(struct span name);
unsigned field_class(enum field_kind kind);

/* The next field of a header. False at its end: the empty line, the end of the bytes, or a line that is no field;
 * *rest then begins there. */
bool header_next(struct span *rest, struct field *f);

/* Whether a line (without its end) can begin a field; *colon is where its name's colon stands. */
bool header_is_field(const char *p, size_t n, size_t *colon);

/* The first field of this kind. */
bool header_find(struct span header, enum field_kind kind, struct field *f);

/* Appends a field with lines of at most 998 bytes, folded at blanks, after commas, or where it must be. A field whose
 * lines fit is copied as it is. name: and body as in struct field; a missing blank after the colon is not added. */
int header_put(struct buf *out, struct span raw);

/* Appends a person's name as a display name: as it is, quoted, or as RFC 2047 words when not ASCII. */
int header_put_name(struct buf *out, const char *p, size_t n);

/* Appends free text as RFC 2047 encoded words where it is not ASCII (charset UTF-8, or unknown-8bit). column: how much
 * of the line is taken. */
int header_put_encoded(struct buf *out, const char *p, size_t n, size_t column);

/* "Mon, 16 Nov 2026 10:00:00 +0000", in local time. us: microseconds since 1970. */
int header_put_date(struct buf *out, int64_t us);

/* A word of a MIME field ("text/plain; charset=x"): value of parameter name (unquoted), false when it isn't there. */
bool header_param(struct span body, const char *name, struct buf *value);
/* The type itself, "text/plain", without blanks and comments; lower case. */
int header_media_type(struct span body, struct buf *type);

#endif
