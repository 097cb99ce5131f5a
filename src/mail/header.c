#include "config.h"
#include "mail/header.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEADER_LINE = 998, ENCODED_WORD = 75 };

static const struct {
	const char *name;
	enum field_kind kind;
	unsigned class;
} fields[] = {
	{"from", FIELD_FROM, FIELD_CLASS_SENDER},
	{"sender", FIELD_SENDER, FIELD_CLASS_SENDER},
	{"reply-to", FIELD_REPLY_TO, FIELD_CLASS_SENDER},
	{"errors-to", FIELD_ERRORS_TO, FIELD_CLASS_SENDER},
	{"return-path", FIELD_RETURN_PATH, FIELD_CLASS_DROP},
	{"to", FIELD_TO, FIELD_CLASS_RECIPIENT},
	{"cc", FIELD_CC, FIELD_CLASS_RECIPIENT},
	{"bcc", FIELD_BCC, FIELD_CLASS_RECIPIENT | FIELD_CLASS_DROP},
	{"resent-from", FIELD_RESENT_FROM, FIELD_CLASS_SENDER | FIELD_CLASS_RESENT},
	{"resent-sender", FIELD_RESENT_SENDER, FIELD_CLASS_SENDER | FIELD_CLASS_RESENT},
	{"resent-reply-to", FIELD_RESENT_REPLY_TO, FIELD_CLASS_SENDER | FIELD_CLASS_RESENT},
	{"resent-to", FIELD_RESENT_TO, FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT},
	{"resent-cc", FIELD_RESENT_CC, FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT},
	{"resent-bcc", FIELD_RESENT_BCC, FIELD_CLASS_RECIPIENT | FIELD_CLASS_RESENT | FIELD_CLASS_DROP},
	{"resent-date", FIELD_RESENT_DATE, FIELD_CLASS_RESENT},
	{"resent-message-id", FIELD_RESENT_MESSAGE_ID, FIELD_CLASS_RESENT},
	{"disposition-notification-to", FIELD_NOTICE_TO, FIELD_CLASS_SENDER},
	{"return-receipt-to", FIELD_NOTICE_TO, FIELD_CLASS_SENDER},
	{"mail-followup-to", FIELD_NOTICE_TO, FIELD_CLASS_SENDER},
	{"date", FIELD_DATE, 0},
	{"message-id", FIELD_MESSAGE_ID, 0},
	{"subject", FIELD_SUBJECT, 0},
	{"received", FIELD_RECEIVED, 0},
	{"mime-version", FIELD_MIME_VERSION, 0},
	{"content-type", FIELD_CONTENT_TYPE, 0},
	{"content-transfer-encoding", FIELD_CTE, 0},
	{"content-length", FIELD_CONTENT_LENGTH, FIELD_CLASS_DROP},
	{"in-reply-to", FIELD_KNOWN, 0},
	{"references", FIELD_KNOWN, 0},
	{"comments", FIELD_KNOWN, 0},
	{"keywords", FIELD_KNOWN, 0},
	{"auto-submitted", FIELD_KNOWN, 0},
	{"precedence", FIELD_KNOWN, 0},
	{"priority", FIELD_KNOWN, 0},
	{"importance", FIELD_KNOWN, 0},
	{"organization", FIELD_KNOWN, 0},
	{"user-agent", FIELD_KNOWN, 0},
	{"delivered-to", FIELD_KNOWN, 0},
	{"newsgroups", FIELD_KNOWN, 0},
	{"apparently-to", FIELD_KNOWN, 0},
	{"dkim-signature", FIELD_KNOWN, 0},
	{"authentication-results", FIELD_KNOWN, 0},
	{"feedback-id", FIELD_KNOWN, 0},
	{"status", FIELD_KNOWN, 0},
};

static const char *const known_prefixes[] = {"x-", "list-", "content-", "resent-", "arc-"};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]), PREFIXES = sizeof(known_prefixes) / sizeof(known_prefixes[0]) };

enum field_kind field_kind(struct span name)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (span_iscase(name, fields[i].name))
			return fields[i].kind;
	for (size_t i = 0; i < PREFIXES; i++) {
		size_t n = strlen(known_prefixes[i]);

		if (name.n > n && span_iscase((struct span){name.p, n}, known_prefixes[i]))
			return FIELD_KNOWN;
	}
	return FIELD_OTHER;
}

unsigned field_class(enum field_kind kind)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (fields[i].kind == kind)
			return fields[i].class;
	return 0;
}

bool header_is_field(const char *p, size_t n, size_t *colon)
{
	size_t i = 0, name;

	while (i < n && (unsigned char)p[i] > ' ' && (unsigned char)p[i] < 127 && p[i] != ':')
		i++;
	name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (!name || i == n || p[i] != ':')
		return false;
	*colon = i;
	return true;
}

static size_t line_length(struct span s)
{
	const char *nl = memchr(s.p, '\n', s.n);

	return nl ? (size_t)(nl - s.p) : s.n;
}

bool header_next(struct span *rest, struct field *f)
{
	size_t colon, n = line_length(*rest);

	if (!header_is_field(rest->p, n, &colon))
		return false;
	f->name = span_trim((struct span){rest->p, colon});
	while (n + 1 < rest->n && (rest->p[n + 1] == ' ' || rest->p[n + 1] == '\t'))
		n += 1 + line_length((struct span){rest->p + n + 1, rest->n - n - 1});
	f->body = (struct span){rest->p + colon + 1, n - colon - 1};
	f->raw = (struct span){rest->p, n < rest->n ? n + 1 : n};
	*rest = span_from(*rest, f->raw.n);
	return true;
}

bool header_find(struct span header, enum field_kind kind, struct field *f)
{
	while (header_next(&header, f))
		if (field_kind(f->name) == kind)
			return true;
	return false;
}

/* Where a line of more than `max` bytes is best cut: before the last blank that fits, else after the last comma, else
 * at max, but not inside a UTF-8 sequence. */
static size_t cut_at(const char *p, size_t max)
{
	for (size_t i = max; i > max / 4; i--)
		if (p[i] == ' ' || p[i] == '\t')
			return i;
	for (size_t i = max; i > max / 4; i--)
		if (p[i - 1] == ',')
			return i;
	for (size_t i = max; i + 4 > max; i--)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return i;
	return max;
}

static void put_line(struct buf *out, const char *p, size_t n)
{
	size_t max = HEADER_LINE;

	while (n > max) {
		size_t cut = cut_at(p, max);

		buf_add(out, p, cut);
		buf_adds(out, "\n");
		p += cut;
		n -= cut;
		max = HEADER_LINE;
		if (*p != ' ' && *p != '\t') {
			buf_addc(out, ' ');
			max--;
		}
	}
	buf_add(out, p, n);
}

int header_put(struct buf *out, struct span raw)
{
	while (raw.n) {
		size_t n = line_length(raw);

		put_line(out, raw.p, n);
		buf_addc(out, '\n');
		if (n < raw.n)
			n++;
		raw = span_from(raw, n);
	}
	return buf_ok(out) ? 0 : -1;
}

/* ---- RFC 2047 */

static bool plain_in_word(unsigned char c)
{
	return ascii_alpha((char)c) || ascii_digit((char)c) || (c && strchr("!*+-/", c));
}

static size_t letter(const char *p, size_t n, bool utf8)
{
	size_t len = 1;

	while (utf8 && len < n && ((unsigned char)p[len] & 0xc0) == 0x80)
		len++;
	return len;
}

static size_t encoded_size(const char *p, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += plain_in_word((unsigned char)p[i]) || p[i] == ' ' ? 1 : 3;
	return size;
}

static void put_q(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ')
			buf_addc(out, '_');
		else if (plain_in_word((unsigned char)p[i]))
			buf_addc(out, p[i]);
		else
			buf_addf(out, "=%02X", (unsigned char)p[i]);
	}
}

/* As many letters as fit go into each word; a letter is never divided between two. */
int header_put_encoded(struct buf *out, const char *p, size_t n, size_t column)
{
	bool utf8 = text_utf8(p, n);
	const char *start = utf8 ? "=?utf-8?q?" : "=?unknown-8bit?q?";
	size_t used = strlen(start) + 2;

	if (!text_8bit(p, n))
		return buf_add(out, p, n);
	if (column > ENCODED_WORD - 24) {
		buf_adds(out, "\n ");
		column = 1;
	}
	buf_adds(out, start);
	while (n) {
		size_t len = letter(p, n, utf8), size = encoded_size(p, len);

		if (*p == '\n') {	/* a fold is no part of the text */
			p++;
			n--;
			continue;
		}

		if (column + used + size > ENCODED_WORD) {
			buf_addf(out, "?=\n %s", start);
			used = strlen(start) + 2;
			column = 1;
		}
		put_q(out, p, len);
		used += size;
		p += len;
		n -= len;
	}
	return buf_adds(out, "?=");
}

static bool is_phrase(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!ascii_alpha(p[i]) && !ascii_digit(p[i]) && !strchr(" !#$%&'*+-/=?^_`{|}~", p[i]))
			return false;
	return n && p[0] != ' ' && p[n - 1] != ' ';
}

int header_put_name(struct buf *out, const char *p, size_t n)
{
	struct span name = span_trim((struct span){p, n});

	if (text_8bit(name.p, name.n))
		return header_put_encoded(out, name.p, name.n, 12);
	if (is_phrase(name.p, name.n))
		return buf_add(out, name.p, name.n);
	buf_addc(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, (unsigned char)name.p[i] < ' ' || name.p[i] == 127 ? ' ' : name.p[i]);
	}
	return buf_addc(out, '"');
}

int header_put_date(struct buf *out, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char day[8], rest[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(day, sizeof(day), "%a", &tm) ||
	    !strftime(rest, sizeof(rest), "%b %Y %T %z", &tm))
		return -1;
	return buf_addf(out, "%s, %d %s", day, tm.tm_mday, rest);
}

/* ---- MIME parameters */

static void skip_blanks(struct span *s)
{
	int depth = 0;

	while (s->n && (depth || ascii_space(s->p[0]) || s->p[0] == '(')) {
		if (s->p[0] == '(')
			depth++;
		else if (s->p[0] == ')')
			depth--;
		*s = span_from(*s, 1);
	}
}

static struct span mime_token(struct span *s)
{
	struct span t;

	skip_blanks(s);
	t = (struct span){s->p, 0};
	while (t.n < s->n && !ascii_space(t.p[t.n]) && !strchr(";=()\"", t.p[t.n]))
		t.n++;
	*s = span_from(*s, t.n);
	skip_blanks(s);
	return t;
}

int header_media_type(struct span body, struct buf *type)
{
	struct span t = mime_token(&body);

	for (size_t i = 0; i < t.n; i++)
		buf_addc(type, ascii_lower(t.p[i]));
	return buf_ok(type) ? 0 : -1;
}

static void mime_value(struct span *s, struct buf *value)
{
	struct span t;

	skip_blanks(s);
	if (!s->n || s->p[0] != '"') {
		t = mime_token(s);
		buf_add(value, t.p, t.n);
		return;
	}
	for (*s = span_from(*s, 1); s->n && s->p[0] != '"'; *s = span_from(*s, 1)) {
		if (s->p[0] == '\\' && s->n > 1)
			*s = span_from(*s, 1);
		if (s->p[0] != '\n')
			buf_addc(value, s->p[0]);
	}
}

static bool to_next_param(struct span *s)
{
	bool quoted = false, found = false;

	for (; s->n && !found; *s = span_from(*s, 1)) {
		found = s->p[0] == ';' && !quoted;
		quoted ^= s->p[0] == '"';
	}
	return found;
}

bool header_param(struct span body, const char *name, struct buf *value)
{
	while (to_next_param(&body)) {
		struct span t = mime_token(&body);

		if (!span_iscase(t, name) || !span_take(&body, "="))
			continue;
		mime_value(&body, value);
		return true;
	}
	return false;
}
