#include "config.h"
#include "smtp/transaction/envelope.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/recode.h"
#include "smtp/transaction/verdict.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

/* ---- addresses */

/* TR46 maps letters such as U+FF1E to ASCII's '>': what comes of a domain must still be the name of a host. */
static bool is_host_name(const char *ascii)
{
	for (; *ascii; ascii++)
		if (!ascii_alpha(*ascii) && !ascii_digit(*ascii) && !strchr("-._", *ascii))
			return false;
	return true;
}

/* "a..b" is somebody's mailbox, but RFC 5321 4.1.2 has it in quotes, and relays refuse it without. */
static int put_local(struct buf *out, struct span local)
{
	if (!local.n || local.p[0] == '"')
		return buf_add(out, local.p, local.n);
	return address_put_local(out, local.p, local.n);
}

/* What stands in an envelope is the address as stored, except that a local part has the quotes it needs, and that
 * without SMTPUTF8 a domain becomes A-labels. -1: it can't be written for this relay, or for lack of memory
 * (out->starved). */
static int put_address(struct buf *out, const char *spec, const struct ehlo *e)
{
	struct span local;
	const char *domain;
	uint8_t *ascii = NULL;
	int rc = -1, idn;

	address_split(spec, &local, &domain);
	if (e->smtputf8 || !text_8bit(spec, strlen(spec))) {
		put_local(out, local);
		return buf_adds(out, local.p + local.n);
	}
	if (text_8bit(local.p, local.n))
		return -1;
	idn = idn2_lookup_u8((const uint8_t *)domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (idn == IDN2_MALLOC)
		out->failed = out->starved = true;
	if (idn != IDN2_OK)
		return -1;
	if (is_host_name((const char *)ascii)) {
		put_local(out, local);
		buf_addc(out, '@');
		buf_adds(out, (const char *)ascii);
		rc = 0;
	}
	idn2_free(ascii);
	return rc;
}

/* Outside quotes nothing may stand that ends an address or a parameter. */
static bool breaks_out(const char *spec)
{
	bool quoted = false;

	for (const char *p = spec; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && strchr("<> \t", *p))
			return true;
	}
	return quoted;
}

/* A second look at what the queue gave: nothing that could end the line early ever gets onto the wire. */
static int check_address(const char *spec, const struct ehlo *e, const char *peer, struct delivery_verdict *v)
{
	struct error err;
	struct buf b;
	int rc = 0;

	if (spec[0] && (address_check(spec, &err) < 0 || breaks_out(spec))) {
		verdict_of_words(v, REASON_BAD_ADDRESS, "bad address syntax: %s", spec);
		return -1;
	}
	buf_init(&b, LIMIT_ADDRESS * 4);
	if (put_address(&b, spec, e) < 0) {
		if (b.starved)
			verdict_of_words(v, REASON_SYSTEM, "out of memory");
		else
			verdict_of_words(v, REASON_NEEDS_SMTPUTF8,
					 "host %s does not offer SMTPUTF8, which the address %s needs", peer,
					 spec);
		rc = -1;
	}
	buf_free(&b);
	return rc;
}

/* ---- can it go? */

/* Every line end becomes two bytes; a message of unknown lines is taken as it is. */
static uint64_t wire_estimate(const struct delivery_message *m)
{
	return m->size + m->lines;
}

bool envelope_recodes(const struct message *m, const struct ehlo *e)
{
	return m->m.body == '8' && !e->eightbit;
}

/* The header with its empty line, as far as it is here; NULL: more has to come. */
static const char *header_of(const struct message *m, size_t *n)
{
	const char *end = m->body.len ? memmem(m->body.data, m->body.len, "\n\n", 2) : NULL;

	if (!end && !m->complete && m->body.len < LIMIT_CHUNK)
		return NULL;
	*n = end ? (size_t)(end - m->body.data) + 2 : m->body.len;
	return buf_str(&m->body);
}

/* Whether all of a message that is here has a 7-bit form. One that is not is found out while it is written. */
static bool can_recode(const struct message *m)
{
	struct recode *r = recode_new();
	struct buf out;
	bool can = true;

	if (!r)
		return true;
	for (size_t at = 0; can && at < m->body.len; at += LIMIT_CHUNK / 4) {
		size_t n = m->body.len - at < LIMIT_CHUNK / 4 ? m->body.len - at : LIMIT_CHUNK / 4;

		buf_init(&out, LIMIT_HEADER * 8);
		recode_add(r, &out, buf_str(&m->body) + at, n);
		buf_free(&out);
		can = !recode_broken(r);
	}
	recode_free(r);
	return can;
}

static int check_recoding(const struct message *m, const struct ehlo *e, const char *peer, struct delivery_verdict *v)
{
	const char *header;
	size_t n = 0;

	if (!envelope_recodes(m, e))
		return 0;
	header = header_of(m, &n);
	if (!header || (!m->large && !m->complete))
		return 1;
	if (m->complete ? can_recode(m) : !recode_forbidden(header, n))
		return 0;
	envelope_unencodable(v, peer);
	return -1;
}

void envelope_unencodable(struct delivery_verdict *v, const char *peer)
{
	verdict_of_words(v, REASON_NEEDS_8BITMIME,
			 "host %s does not offer 8BITMIME, and the message has no 7-bit form: "
			 "it is signed, or has too large a header", peer);
}

int envelope_check(const struct message *m, const struct ehlo *e, const char *peer, struct delivery_verdict *v)
{
	if (e->size_limit && wire_estimate(&m->m) > e->size_limit) {
		verdict_of_words(v, REASON_TOO_LARGE, "message size %llu exceeds size limit %llu of server %s",
				 (unsigned long long)wire_estimate(&m->m), (unsigned long long)e->size_limit, peer);
		return -1;
	}
	if (check_address(m->m.sender, e, peer, v) < 0)
		return -1;
	return check_recoding(m, e, peer, v);
}

int envelope_check_recipient(const struct delivery_recipient *r, const struct ehlo *e, const char *peer,
			     struct delivery_verdict *v)
{
	if (r->address[0])
		return check_address(r->address, e, peer, v);
	verdict_of_words(v, REASON_BAD_ADDRESS, "empty recipient address");
	return -1;
}

/* ---- the lines */

/* RFC 3461 4: what is not printable, '+' and '=' as +XX. */
static void put_xtext(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 33 || c > 126 || c == '+' || c == '=')
			buf_addf(out, "+%02X", c);
		else
			buf_addc(out, *s);
	}
}

static bool needs_utf8(const struct message *m)
{
	if (m->m.smtputf8 || text_8bit(m->m.sender, strlen(m->m.sender)))
		return true;
	for (size_t i = 0; i < m->m.nrecipients; i++)
		if (text_8bit(m->m.recipients[i].address, strlen(m->m.recipients[i].address)))
			return true;
	return false;
}

static void put_dsn_mail(struct buf *out, const struct delivery_message *m)
{
	if (m->ret == 'F' || m->ret == 'H')
		buf_adds(out, m->ret == 'F' ? " RET=FULL" : " RET=HDRS");
	if (m->envid && m->envid[0]) {
		buf_adds(out, " ENVID=");
		put_xtext(out, m->envid);
	}
}

void envelope_plain_mail(struct buf *out, const char *sender, const struct ehlo *e)
{
	buf_adds(out, "MAIL FROM:<");
	put_address(out, sender, e);
	buf_adds(out, ">\r\n");
}

void envelope_mail(struct buf *out, const struct message *m, const struct ehlo *e, size_t wire_size)
{
	buf_adds(out, "MAIL FROM:<");
	put_address(out, m->m.sender, e);
	buf_addc(out, '>');
	if (e->size)
		buf_addf(out, " SIZE=%llu", (unsigned long long)(wire_size ? wire_size : wire_estimate(&m->m)));
	if (e->eightbit && m->m.body == '8')
		buf_adds(out, " BODY=8BITMIME");
	if (e->smtputf8 && needs_utf8(m))
		buf_adds(out, " SMTPUTF8");
	if (e->dsn)
		put_dsn_mail(out, &m->m);
	buf_adds(out, "\r\n");
}

static void put_notify(struct buf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {{2, "SUCCESS"}, {4, "FAILURE"}, {8, "DELAY"}};
	const char *before = " NOTIFY=";

	if (notify & 1) {
		buf_adds(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(notify & words[i].bit))
			continue;
		buf_adds(out, before);
		buf_adds(out, words[i].word);
		before = ",";
	}
}

/* "rfc822;a@b". A type is an atom, in which xtext changes nothing. */
static void put_orcpt(struct buf *out, const char *orcpt)
{
	if (!strchr(orcpt, ';') || text_8bit(orcpt, strlen(orcpt)))
		return;
	buf_adds(out, " ORCPT=");
	put_xtext(out, orcpt);
}

void envelope_rcpt(struct buf *out, const struct delivery_recipient *r, const struct ehlo *e)
{
	buf_adds(out, "RCPT TO:<");
	put_address(out, r->address, e);
	buf_addc(out, '>');
	if (e->dsn) {
		put_notify(out, r->notify);
		if (r->orcpt)
			put_orcpt(out, r->orcpt);
	}
	buf_adds(out, "\r\n");
}
