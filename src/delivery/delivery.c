#include "config.h"
#include "delivery/delivery.h"
#include "base/array.h"
#include "base/limits.h"
#include "base/text/text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One START stays well below LIMIT_FRAME; a longer list of recipients is cut into several. */
enum { START_FULL = LIMIT_FRAME / 2, PAIRS_MAX = 128 };

/* ---- frames that are a struct: one table of its fields for both directions */

struct field {
	const char *name;
	size_t offset, size;
	size_t width;		/* of a number, in bytes of the frame; 0: text */
	uint64_t least, greatest;
	bool is_reason;		/* travels by its name */
};

struct delivery_layout {
	enum delivery_frame type;
	const struct field *fields;
	size_t n, size;
};

#define AT(owner, member) \
	#member, offsetof(struct delivery_##owner, member), sizeof(((struct delivery_##owner *)0)->member)
#define TEXT(owner, member) {AT(owner, member), 0, 0, 0, false}
#define BOOL(owner, member) {AT(owner, member), 1, 0, 1, false}
#define ENUM(owner, member, first, last) {AT(owner, member), 1, first, last, false}
#define INT(owner, member, greatest) {AT(owner, member), 4, 0, greatest, false}
#define LONG(owner, member) {AT(owner, member), 8, 0, UINT64_MAX, false}
#define REASON(owner, member, first) {AT(owner, member), 0, first, REASONS - 1, true}
#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))
#define LAYOUT(owner, type) \
	const struct delivery_layout delivery_##owner##_layout = { \
		type, owner##_fields, COUNT(owner##_fields), sizeof(struct delivery_##owner)}

static uint64_t load(const void *from, const struct field *f)
{
	const void *at = (const char *)from + f->offset;

	switch (f->size) {
	case 1:
		return *(const uint8_t *)at;
	case 4:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void store(void *to, const struct field *f, uint64_t number)
{
	void *at = (char *)to + f->offset;

	switch (f->size) {
	case 1:
		*(uint8_t *)at = (uint8_t)number;
		break;
	case 4:
		*(uint32_t *)at = (uint32_t)number;
		break;
	default:
		*(uint64_t *)at = number;
	}
}

int delivery_put(struct buf *out, const struct delivery_layout *l, const void *from)
{
	size_t mark = frame_begin(out, (uint8_t)l->type);

	for (const struct field *f = l->fields; f < l->fields + l->n; f++) {
		if (f->width)
			buf_add_be(out, load(from, f), f->width);
		else if (f->is_reason)
			frame_cstr(out, reason_name((enum reason)load(from, f)));
		else
			frame_cstr(out, (const char *)from + f->offset);
	}
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

/* One that is not known here is an answer that was not understood. */
static enum reason get_reason(struct frame *in)
{
	char name[64];
	enum reason r;

	frame_get_cstr(in, name, sizeof(name));
	r = reason_find(name);
	return name[0] && !r ? REASON_PROTOCOL : r;
}

int delivery_get(struct frame *in, const struct delivery_layout *l, void *to)
{
	memset(to, 0, l->size);
	for (const struct field *f = l->fields; f < l->fields + l->n; f++) {
		uint64_t number = f->width ? frame_get_be(in, f->width) : f->is_reason ? get_reason(in) : 0;

		if (!f->width && !f->is_reason)
			frame_get_cstr(in, (char *)to + f->offset, f->size);
		else if (number >= f->least && number <= f->greatest)
			store(to, f, number);
		else
			in->bad = true;
	}
	return frame_end(in) ? 0 : -1;
}

/* ---- SESSION: names and values, so that an agent can say which one it does not know. */

#define SESSION_TEXT(member) TEXT(session, member)
#define SESSION_BOOL(member) BOOL(session, member)
#define SESSION_INT(member) INT(session, member, INT32_MAX)

static const struct field session_fields[] = {
	SESSION_TEXT(host), SESSION_TEXT(port), SESSION_BOOL(mx), SESSION_BOOL(implicit_tls),
	INT(session, tls_level, TLS_NONE), SESSION_TEXT(cafile), SESSION_TEXT(capath), SESSION_BOOL(append_default_ca),
	SESSION_TEXT(crlfile), SESSION_TEXT(certfile), SESSION_TEXT(keyfile), SESSION_TEXT(fingerprints),
	SESSION_TEXT(fingerprint_digest), SESSION_TEXT(match), SESSION_TEXT(priority), SESSION_INT(tls_loglevel),
	SESSION_BOOL(auth), SESSION_BOOL(auth_unverified), SESSION_BOOL(auth_without_tls),
	SESSION_TEXT(mechanism_filter), SESSION_TEXT(security_options), SESSION_TEXT(tls_security_options),
	SESSION_TEXT(helo), SESSION_TEXT(inet_protocols), SESSION_TEXT(address_preference), SESSION_TEXT(bind4),
	SESSION_TEXT(bind6),
	SESSION_INT(t_connect), SESSION_INT(t_helo), SESSION_INT(t_starttls), SESSION_INT(t_mail), SESSION_INT(t_rcpt),
	SESSION_INT(t_data_init), SESSION_INT(t_data_xfer), SESSION_INT(t_data_done), SESSION_INT(t_rset),
	SESSION_INT(t_secret),
	SESSION_INT(recipient_limit), SESSION_INT(pipeline_window), SESSION_TEXT(known),
	SESSION_BOOL(check_only), SESSION_TEXT(check_sender), SESSION_BOOL(transcript),
};

enum { FIELDS = COUNT(session_fields) };

int delivery_put_session(struct buf *out, const struct delivery_session *s)
{
	size_t mark = frame_begin(out, TO_AGENT_SESSION);
	char number[24];

	frame_u32(out, FIELDS);
	for (const struct field *f = session_fields; f < session_fields + FIELDS; f++) {
		snprintf(number, sizeof(number), "%llu", f->width ? (unsigned long long)load(s, f) : 0);
		frame_cstr(out, f->name);
		frame_cstr(out, f->width ? number : (const char *)s + f->offset);
	}
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

static bool take_setting(struct delivery_session *s, const struct field *f, struct span value)
{
	uint64_t number;

	if (!f->width)
		return span_copy(value, (char *)s + f->offset, f->size);
	if (!text_u64(value, f->greatest, &number))
		return false;
	store(s, f, number);
	return true;
}

static const struct field *find_field(struct span key)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (span_is(key, session_fields[i].name))
			return &session_fields[i];
	return NULL;
}

int delivery_get_session(struct frame *f, struct delivery_session *s, struct error *err)
{
	uint32_t n = frame_get_u32(f);

	memset(s, 0, sizeof(*s));
	if (n > PAIRS_MAX)
		return error_set(err, REASON_PROTOCOL, "session with %u settings", n);
	while (n--) {
		struct span key = frame_get_str(f), value = frame_get_str(f);
		const struct field *field = find_field(key);

		if (f->bad)
			break;
		if (!field)
			return error_set(err, REASON_PROTOCOL, "unknown session setting \"%.*s\"",
					 (int)(key.n > 40 ? 40 : key.n), key.p);
		if (!take_setting(s, field, value))
			return error_set(err, REASON_CONFIG, "the value of %s does not fit or is malformed",
					 field->name);
	}
	if (!frame_end(f))
		return error_set(err, REASON_PROTOCOL, "malformed session frame");
	return 0;
}

/* ---- START */

static void put_optional(struct buf *out, const char *s)
{
	frame_u8(out, s != NULL);
	if (s)
		frame_cstr(out, s);
}

static void put_recipient(struct buf *out, const struct delivery_recipient *r)
{
	frame_i64(out, r->id);
	frame_cstr(out, r->address);
	put_optional(out, r->orcpt);
	frame_u8(out, (uint8_t)r->notify);
}

/* As many recipients from the first on as one frame takes; the list is ended by an id-less mark, so
 * that nobody has to count ahead. Returns how many. */
static size_t put_start(struct buf *out, const struct delivery_message *m, size_t first)
{
	size_t mark = frame_begin(out, TO_AGENT_START), i = first;

	frame_u64(out, m->seq);
	frame_cstr(out, m->queue_id);
	frame_cstr(out, m->sender);
	put_optional(out, m->envid);
	frame_u8(out, (uint8_t)m->ret);
	frame_u8(out, (uint8_t)m->body);
	frame_u8(out, m->smtputf8);
	frame_u64(out, m->size);
	frame_u64(out, m->lines);
	for (; i < m->nrecipients && buf_ok(out) && out->len - mark < START_FULL; i++) {
		frame_u8(out, 1);
		put_recipient(out, &m->recipients[i]);
	}
	frame_u8(out, 0);
	frame_u8(out, i < m->nrecipients || m->more);
	frame_finish(out, mark);
	return i - first;
}

int delivery_put_message(struct buf *out, const struct delivery_message *m)
{
	size_t done = 0;

	do
		done += put_start(out, m, done);
	while (done < m->nrecipients && buf_ok(out));
	return buf_ok(out) ? 0 : -1;
}

static const char *get_dup(struct frame *f)
{
	struct span s = frame_get_str(f);
	char *copy = f->bad ? NULL : span_dup(s);

	if (!copy)
		f->bad = true;
	return copy;
}

static const char *get_optional(struct frame *f)
{
	return frame_get_u8(f) ? get_dup(f) : NULL;
}

static void free_const(const char *s)
{
	free((void *)(uintptr_t)s);
}

static struct delivery_recipient *add_recipient(struct delivery_message *m)
{
	struct delivery_recipient *list = (void *)(uintptr_t)m->recipients;
	size_t n = m->nrecipients;

	if (n >= LIMIT_RECIPIENTS || !(list = array_room(list, n, &m->room, sizeof(*list))))
		return NULL;
	m->recipients = list;
	m->nrecipients++;
	list[n] = (struct delivery_recipient){0};
	return &list[n];
}

static void get_recipients(struct frame *f, struct delivery_message *m)
{
	while (!f->bad && frame_get_u8(f)) {
		struct delivery_recipient *r = add_recipient(m);

		if (!r) {
			f->bad = true;
			return;
		}
		r->id = frame_get_i64(f);
		r->address = get_dup(f);
		r->orcpt = get_optional(f);
		r->notify = frame_get_u8(f);
	}
}

/* The first frame of a message fills the envelope; those after it must speak of the same message. */
static int get_envelope(struct frame *f, struct delivery_message *m)
{
	struct delivery_message e = {.seq = frame_get_u64(f)};
	bool same;

	e.queue_id = get_dup(f);
	e.sender = get_dup(f);
	e.envid = get_optional(f);
	e.ret = (char)frame_get_u8(f);
	e.body = (char)frame_get_u8(f);
	e.smtputf8 = frame_get_u8(f) != 0;
	e.size = frame_get_u64(f);
	e.lines = frame_get_u64(f);
	if (!m->queue_id) {
		*m = e;
		return f->bad ? -1 : 0;
	}
	same = !f->bad && m->more && e.seq == m->seq && strcmp(e.queue_id, m->queue_id) == 0;
	delivery_free_message(&e);
	return same ? 0 : -1;
}

int delivery_get_message(struct frame *f, struct delivery_message *m, struct error *err)
{
	if (get_envelope(f, m) < 0)
		goto bad;
	get_recipients(f, m);
	m->more = frame_get_u8(f) != 0;
	if (frame_end(f))
		return 0;
bad:
	delivery_free_message(m);
	return error_set(err, REASON_PROTOCOL, "malformed message frame, or no memory for it");
}

void delivery_free_message(struct delivery_message *m)
{
	for (size_t i = 0; i < m->nrecipients; i++) {
		free_const(m->recipients[i].address);
		free_const(m->recipients[i].orcpt);
	}
	free((void *)(uintptr_t)m->recipients);
	free_const(m->queue_id);
	free_const(m->sender);
	free_const(m->envid);
	memset(m, 0, sizeof(*m));
}

/* ---- READY, VERDICT, DONE, STEP, DOWN, KNOWN */

static const struct field ready_fields[] = {
	TEXT(ready, host), TEXT(ready, address), INT(ready, port, UINT32_MAX), BOOL(ready, tls), BOOL(ready, verified),
	TEXT(ready, tls_summary), LONG(ready, cert_expires), TEXT(ready, mechanism), TEXT(ready, extensions),
	LONG(ready, size_limit), LONG(ready, connect_us),
};
LAYOUT(ready, FROM_AGENT_READY);

static const struct field verdict_fields[] = {
	LONG(verdict, seq), LONG(verdict, recipient), ENUM(verdict, fate, FATE_SENT, FATE_FAILED), TEXT(verdict, dsn),
	INT(verdict, smtp_code, 999), REASON(verdict, reason, REASON_NONE), TEXT(verdict, text),
	BOOL(verdict, relayed_dsn),
};
LAYOUT(verdict, FROM_AGENT_VERDICT);

static const struct field done_fields[] = {LONG(done, seq), LONG(done, connect_us), LONG(done, transfer_us)};
LAYOUT(done, FROM_AGENT_DONE);

static const struct field step_fields[] = {
	TEXT(step, name), REASON(step, reason, REASON_NONE), TEXT(step, text), INT(step, ms, UINT32_MAX),
};
LAYOUT(step, FROM_AGENT_STEP);

static const struct field down_fields[] = {
	REASON(down, reason, REASON_NONE + 1), TEXT(down, dsn), TEXT(down, text), TEXT(down, name), TEXT(down, host),
	TEXT(down, address), INT(down, port, UINT32_MAX), INT(down, retry_after, UINT32_MAX), BOOL(down, served),
};
LAYOUT(down, FROM_AGENT_DOWN);

/* What else is in the struct is outpostd's own. */
static const struct field known_fields[] = {
	ENUM(known, flight, FLIGHT_UNKNOWN, FLIGHT_NO), BOOL(known, no_bdat), BOOL(known, no_rset),
	INT(known, window, UINT32_MAX), INT(known, recipients, UINT32_MAX), INT(known, offers, UINT32_MAX),
};
LAYOUT(known, FROM_AGENT_KNOWN);

int delivery_vsay_down(struct delivery_down *d, enum reason why, const char *fmt, va_list ap)
{
	d->reason = why;
	snprintf(d->dsn, sizeof(d->dsn), "%s", reason_dsn(why));
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	text_clean(d->text);
	return -1;
}

int delivery_say_down(struct delivery_down *d, enum reason why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	delivery_vsay_down(d, why, fmt, ap);
	va_end(ap);
	return -1;
}

int delivery_get_verdict(struct frame *in, struct delivery_verdict *v)
{
	if (delivery_get(in, &delivery_verdict_layout, v) < 0)
		return -1;
	return (v->fate == FATE_SENT) == (v->reason == REASON_NONE) ? 0 : -1;
}

/* ---- KNOWN as words */

static const struct {
	const char *name;
	size_t offset;
} known_numbers[] = {
	{"window=", offsetof(struct delivery_known, window)},
	{"recipients=", offsetof(struct delivery_known, recipients)},
	{"connections=", offsetof(struct delivery_known, connections)},
	{"offers=", offsetof(struct delivery_known, offers)},
};

enum { KNOWN_NUMBERS = COUNT(known_numbers) };

void delivery_write_known(const struct delivery_known *k, char out[KNOWN_TEXT])
{
	struct buf b;

	buf_init(&b, KNOWN_TEXT - 1);
	if (k->flight)
		buf_adds(&b, k->flight == FLIGHT_YES ? " flight=yes" : " flight=no");
	if (k->no_bdat)
		buf_adds(&b, " nobdat");
	if (k->no_rset)
		buf_adds(&b, " noreset");
	for (size_t i = 0; i < KNOWN_NUMBERS; i++) {
		uint32_t n = *(const uint32_t *)(const void *)((const char *)k + known_numbers[i].offset);

		if (n)
			buf_addf(&b, " %s%u", known_numbers[i].name, n);
	}
	if (k->since > 0)
		buf_addf(&b, " since=%lld", (long long)k->since);
	snprintf(out, KNOWN_TEXT, "%s", buf_ok(&b) && b.len ? buf_str(&b) + 1 : "");
	buf_free(&b);
}

/* NAME=NUMBER. */
static bool take_number(struct span word, const char *name, uint64_t max, uint64_t *n)
{
	return span_take(&word, name) && text_u64(word, max, n);
}

static void take_known(struct delivery_known *k, struct span word)
{
	uint64_t n;

	if (span_is(word, "flight=yes") || span_is(word, "flight=no"))
		k->flight = span_is(word, "flight=yes") ? FLIGHT_YES : FLIGHT_NO;
	k->no_bdat = k->no_bdat || span_is(word, "nobdat");
	k->no_rset = k->no_rset || span_is(word, "noreset");
	for (size_t i = 0; i < KNOWN_NUMBERS; i++)
		if (take_number(word, known_numbers[i].name, UINT32_MAX, &n))
			*(uint32_t *)(void *)((char *)k + known_numbers[i].offset) = (uint32_t)n;
	if (take_number(word, "since=", INT64_MAX, &n))
		k->since = (int64_t)n;
}

void delivery_read_known(const char *text, struct delivery_known *k)
{
	struct span rest = span_of(text), word;

	memset(k, 0, sizeof(*k));
	while (span_word(&rest, " ", &word))
		take_known(k, word);
}

void delivery_age_known(struct delivery_known *k, int64_t now)
{
	if (k->since > now || now - k->since >= KNOWN_LIFE)
		memset(k, 0, sizeof(*k));
}

static bool same_known(const struct delivery_known *a, const struct delivery_known *b)
{
	return a->flight == b->flight && a->no_bdat == b->no_bdat && a->no_rset == b->no_rset &&
	       a->window == b->window && a->recipients == b->recipients && a->offers == b->offers;
}

bool delivery_learn(struct delivery_known *k, const struct delivery_known *said, int64_t now)
{
	struct delivery_known old;

	delivery_age_known(k, now);
	old = *k;
	if (old.offers && old.offers != said->offers)
		memset(&old, 0, sizeof(old));
	k->flight = old.flight == FLIGHT_NO || !said->flight ? old.flight : said->flight;
	k->no_bdat = old.no_bdat || said->no_bdat;
	k->no_rset = old.no_rset || said->no_rset;
	k->window = said->window ? said->window : old.window;
	if (said->recipients && (!old.recipients || said->recipients < old.recipients))
		k->recipients = said->recipients;
	else
		k->recipients = old.recipients;
	k->offers = said->offers;
	k->since = old.since ? old.since : now;
	return !same_known(k, &old);
}
