#include "config.h"
#include "delivery/delivery.h"
#include "base/limits.h"
#include "base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One START stays well below LIMIT_FRAME; a longer list of recipients is cut into several. */
enum { START_FULL = LIMIT_FRAME / 2, PAIRS_MAX = 128 };

/* ---- SESSION: the table is the grammar. */

enum field_type { F_TEXT, F_BOOL, F_INT, F_LEVEL };

struct field {
	const char *key;
	enum field_type type;
	size_t offset, size;
};

#define TEXT(name)                                                                                                     \
	{                                                                                                              \
#name, F_TEXT, offsetof(struct delivery_session, name), sizeof(((struct delivery_session *)0)->name)   \
	}
#define BOOL(name) {#name, F_BOOL, offsetof(struct delivery_session, name), sizeof(bool)}
#define INT(name) {#name, F_INT, offsetof(struct delivery_session, name), sizeof(int)}
#define LEVEL(name) {#name, F_LEVEL, offsetof(struct delivery_session, name), sizeof(enum tls_level)}

static const struct field session_fields[] = {
	TEXT(host), TEXT(port), BOOL(mx), BOOL(implicit_tls),
	LEVEL(tls_level), TEXT(cafile), TEXT(capath), BOOL(append_default_ca), TEXT(crlfile),
	TEXT(certfile), TEXT(keyfile), TEXT(fingerprints), TEXT(fingerprint_digest), TEXT(match),
	TEXT(priority), INT(tls_loglevel),
	BOOL(auth), BOOL(auth_unverified), BOOL(auth_without_tls), TEXT(mechanism_filter),
	TEXT(security_options), TEXT(tls_security_options),
	TEXT(helo), TEXT(inet_protocols), TEXT(address_preference), TEXT(bind4), TEXT(bind6),
	INT(t_connect), INT(t_helo), INT(t_starttls), INT(t_mail), INT(t_rcpt), INT(t_data_init),
	INT(t_data_xfer), INT(t_data_done), INT(t_rset), INT(t_quit), INT(t_secret),
	INT(recipient_limit), INT(pipeline_window), TEXT(known),
	BOOL(check_only), TEXT(check_sender), BOOL(transcript),
};

enum { FIELDS = sizeof(session_fields) / sizeof(session_fields[0]) };

static const void *at(const struct delivery_session *s, const struct field *f)
{
	return (const char *)s + f->offset;
}

static void put_field(struct buf *out, const struct delivery_session *s, const struct field *f)
{
	char number[16];

	frame_cstr(out, f->key);
	switch (f->type) {
	case F_TEXT:
		frame_cstr(out, at(s, f));
		break;
	case F_BOOL:
		frame_cstr(out, *(const bool *)at(s, f) ? "1" : "0");
		break;
	case F_INT:
		snprintf(number, sizeof(number), "%d", *(const int *)at(s, f));
		frame_cstr(out, number);
		break;
	case F_LEVEL:
		snprintf(number, sizeof(number), "%d", (int)*(const enum tls_level *)at(s, f));
		frame_cstr(out, number);
		break;
	}
}

int delivery_put_session(struct buf *out, const struct delivery_session *s)
{
	size_t mark = frame_begin(out, TO_AGENT_SESSION);

	frame_u32(out, FIELDS);
	for (size_t i = 0; i < FIELDS; i++)
		put_field(out, s, &session_fields[i]);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

static int get_field(struct delivery_session *s, const struct field *f, struct span value)
{
	char *to = (char *)s + f->offset;
	uint64_t number;

	switch (f->type) {
	case F_TEXT:
		if (value.n >= f->size || memchr(value.p, '\0', value.n))
			return -1;
		memcpy(to, value.p, value.n);
		to[value.n] = '\0';
		return 0;
	case F_BOOL:
		if (!span_is(value, "0") && !span_is(value, "1"))
			return -1;
		*(bool *)to = span_is(value, "1");
		return 0;
	case F_INT:
		if (!text_u64(value, INT32_MAX, &number))
			return -1;
		*(int *)(void *)to = (int)number;
		return 0;
	case F_LEVEL:
		if (!text_u64(value, TLS_NONE, &number))
			return -1;
		*(enum tls_level *)(void *)to = (enum tls_level)number;
		return 0;
	}
	return -1;
}

static const struct field *find_field(struct span key)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (span_is(key, session_fields[i].key))
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
		if (get_field(s, field, value) < 0)
			return error_set(err, REASON_CONFIG, "the value of %s does not fit or is malformed",
					 field->key);
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

/* Grows by doubling: n is a power of two whenever the array is full. */
static struct delivery_recipient *add_recipient(struct delivery_message *m)
{
	struct delivery_recipient *list = (void *)(uintptr_t)m->recipients;
	size_t n = m->nrecipients;

	if (n >= LIMIT_RECIPIENTS)
		return NULL;
	if ((n & (n - 1)) == 0) {
		list = reallocarray(list, n ? n * 2 : 1, sizeof(*list));
		if (!list)
			return NULL;
		m->recipients = list;
	}
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

/* ---- READY, VERDICT, DOWN */

int delivery_put_ready(struct buf *out, const struct delivery_ready *r)
{
	size_t mark = frame_begin(out, FROM_AGENT_READY);

	frame_cstr(out, r->host);
	frame_cstr(out, r->address);
	frame_u32(out, r->port);
	frame_u8(out, r->tls);
	frame_u8(out, r->verified);
	frame_cstr(out, r->tls_summary);
	frame_i64(out, r->cert_expires);
	frame_cstr(out, r->mechanism);
	frame_cstr(out, r->extensions);
	frame_u64(out, r->size_limit);
	frame_i64(out, r->connect_us);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_ready(struct frame *f, struct delivery_ready *r)
{
	memset(r, 0, sizeof(*r));
	frame_get_cstr(f, r->host, sizeof(r->host));
	frame_get_cstr(f, r->address, sizeof(r->address));
	r->port = frame_get_u32(f);
	r->tls = frame_get_u8(f) != 0;
	r->verified = frame_get_u8(f) != 0;
	frame_get_cstr(f, r->tls_summary, sizeof(r->tls_summary));
	r->cert_expires = frame_get_i64(f);
	frame_get_cstr(f, r->mechanism, sizeof(r->mechanism));
	frame_get_cstr(f, r->extensions, sizeof(r->extensions));
	r->size_limit = frame_get_u64(f);
	r->connect_us = frame_get_i64(f);
	return frame_end(f) ? 0 : -1;
}

/* A reason travels by its name; one that is not known here is an answer that was not understood. */
static enum reason get_reason(struct frame *f)
{
	char name[64];
	enum reason r;

	frame_get_cstr(f, name, sizeof(name));
	r = reason_find(name);
	return name[0] && !r ? REASON_PROTOCOL : r;
}

int delivery_put_verdict(struct buf *out, const struct delivery_verdict *v)
{
	size_t mark = frame_begin(out, FROM_AGENT_VERDICT);

	frame_u64(out, v->seq);
	frame_i64(out, v->recipient);
	frame_u8(out, (uint8_t)v->fate);
	frame_cstr(out, v->dsn);
	frame_u32(out, (uint32_t)v->smtp_code);
	frame_cstr(out, reason_name(v->reason));
	frame_cstr(out, v->text);
	frame_u8(out, v->relayed_dsn);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_verdict(struct frame *f, struct delivery_verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->seq = frame_get_u64(f);
	v->recipient = frame_get_i64(f);
	v->fate = (enum delivery_fate)frame_get_u8(f);
	frame_get_cstr(f, v->dsn, sizeof(v->dsn));
	v->smtp_code = (int)frame_get_u32(f);
	v->reason = get_reason(f);
	frame_get_cstr(f, v->text, sizeof(v->text));
	v->relayed_dsn = frame_get_u8(f) != 0;
	if (!frame_end(f) || v->fate < FATE_SENT || v->fate > FATE_FAILED ||
	    (v->fate == FATE_SENT) != (v->reason == REASON_NONE))
		return -1;
	return v->smtp_code >= 0 && v->smtp_code < 1000 ? 0 : -1;
}

int delivery_put_done(struct buf *out, const struct delivery_done *d)
{
	size_t mark = frame_begin(out, FROM_AGENT_DONE);

	frame_u64(out, d->seq);
	frame_i64(out, d->connect_us);
	frame_i64(out, d->transfer_us);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_done(struct frame *f, struct delivery_done *d)
{
	d->seq = frame_get_u64(f);
	d->connect_us = frame_get_i64(f);
	d->transfer_us = frame_get_i64(f);
	return frame_end(f) ? 0 : -1;
}

int delivery_put_step(struct buf *out, const struct delivery_step *s)
{
	size_t mark = frame_begin(out, FROM_AGENT_STEP);

	frame_cstr(out, s->name);
	frame_cstr(out, reason_name(s->reason));
	frame_cstr(out, s->text);
	frame_u32(out, s->ms);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_step(struct frame *f, struct delivery_step *s)
{
	memset(s, 0, sizeof(*s));
	frame_get_cstr(f, s->name, sizeof(s->name));
	s->reason = get_reason(f);
	frame_get_cstr(f, s->text, sizeof(s->text));
	s->ms = frame_get_u32(f);
	return frame_end(f) ? 0 : -1;
}

int delivery_put_down(struct buf *out, const struct delivery_down *d)
{
	size_t mark = frame_begin(out, FROM_AGENT_DOWN);

	frame_cstr(out, reason_name(d->reason));
	frame_cstr(out, d->dsn);
	frame_cstr(out, d->text);
	frame_cstr(out, d->name);
	frame_cstr(out, d->host);
	frame_cstr(out, d->address);
	frame_u32(out, d->port);
	frame_u32(out, d->retry_after);
	frame_u8(out, d->served);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_down(struct frame *f, struct delivery_down *d)
{
	memset(d, 0, sizeof(*d));
	d->reason = get_reason(f);
	frame_get_cstr(f, d->dsn, sizeof(d->dsn));
	frame_get_cstr(f, d->text, sizeof(d->text));
	frame_get_cstr(f, d->name, sizeof(d->name));
	frame_get_cstr(f, d->host, sizeof(d->host));
	frame_get_cstr(f, d->address, sizeof(d->address));
	d->port = frame_get_u32(f);
	d->retry_after = frame_get_u32(f);
	d->served = frame_get_u8(f) != 0;
	return frame_end(f) && d->reason ? 0 : -1;
}

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

/* ---- KNOWN */

enum { KNOWN_NO_BDAT = 1, KNOWN_NO_RSET = 2 };

int delivery_put_known(struct buf *out, const struct delivery_known *k)
{
	size_t mark = frame_begin(out, FROM_AGENT_KNOWN);

	frame_u8(out, (uint8_t)k->flight);
	frame_u8(out, (uint8_t)((k->no_bdat ? KNOWN_NO_BDAT : 0) | (k->no_rset ? KNOWN_NO_RSET : 0)));
	frame_u32(out, k->window);
	frame_u32(out, k->recipients);
	frame_u32(out, k->offers);
	frame_finish(out, mark);
	return buf_ok(out) ? 0 : -1;
}

int delivery_get_known(struct frame *f, struct delivery_known *k)
{
	uint8_t flags;

	memset(k, 0, sizeof(*k));
	k->flight = (enum delivery_flight)frame_get_u8(f);
	flags = frame_get_u8(f);
	k->no_bdat = flags & KNOWN_NO_BDAT;
	k->no_rset = flags & KNOWN_NO_RSET;
	k->window = frame_get_u32(f);
	k->recipients = frame_get_u32(f);
	k->offers = frame_get_u32(f);
	return frame_end(f) && k->flight <= FLIGHT_NO && flags <= (KNOWN_NO_BDAT | KNOWN_NO_RSET) ? 0 : -1;
}

static const struct {
	const char *name;
	size_t offset;
} known_numbers[] = {
	{"window=", offsetof(struct delivery_known, window)},
	{"recipients=", offsetof(struct delivery_known, recipients)},
	{"connections=", offsetof(struct delivery_known, connections)},
	{"offers=", offsetof(struct delivery_known, offers)},
};

enum { KNOWN_NUMBERS = sizeof(known_numbers) / sizeof(known_numbers[0]) };

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
	size_t len = strlen(name);

	return word.n > len && memcmp(word.p, name, len) == 0 &&
	       text_u64((struct span){word.p + len, word.n - len}, max, n);
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
