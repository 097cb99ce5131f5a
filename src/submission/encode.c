#include "config.h"
#include "submission/submission.h"
#include "submission/record.h"

#include <string.h>

#include "base/limits.h"

static void put_record(struct buf *out, char type, const void *p, size_t n)
{
	buf_addc(out, type);
	buf_add_be(out, n, RECORD_HEAD - 1);
	buf_add(out, p, n);
}

static void put_number(struct buf *out, char type, uint64_t number, size_t n)
{
	buf_addc(out, type);
	buf_add_be(out, n, RECORD_HEAD - 1);
	buf_add_be(out, number, n);
}

static int put_text(struct buf *out, char type, const char *s, struct error *err)
{
	const struct record_kind *kind = record_kind(type);
	size_t n = strlen(s);

	if (strpbrk(s, "\r\n"))
		return error_set(err, REASON_BAD_SENDER, "a line break in the %s", kind->name);
	if (n < kind->min || n > kind->max)
		return error_set(err, REASON_BAD_SENDER, "the %s has %zu bytes, allowed are %zu to %zu", kind->name, n,
				 kind->min, kind->max);
	put_record(out, type, s, n);
	return 0;
}

static int put_recipient(struct buf *out, const struct submission_recipient *r, struct error *err)
{
	char notify = (char)r->notify;

	if (put_text(out, 'R', r->address, err) < 0)
		return -1;
	if (r->notify)
		put_record(out, 'N', &notify, 1);
	return r->orcpt ? put_text(out, 'O', r->orcpt, err) : 0;
}

static int put_options(struct buf *out, const struct submission *s, struct error *err)
{
	if (s->envid && put_text(out, 'I', s->envid, err) < 0)
		return -1;
	if (s->ret)
		put_record(out, 'T', &s->ret, 1);
	put_record(out, 'B', &s->body, 1);
	if (s->smtputf8)
		put_record(out, 'U', "", 0);
	if (s->queue_only)
		put_record(out, 'Q', "", 0);
	put_number(out, 'X', s->header_size, 4);
	return 0;
}

int submission_put_envelope(struct buf *out, const struct submission *s, struct error *err)
{
	if (!s->nrecipients)
		return error_set(err, REASON_USAGE, "no recipients");
	buf_adds(out, SUBMISSION_MAGIC);
	put_record(out, 'K', s->token, sizeof(s->token));
	if (put_text(out, 'S', s->sender, err) < 0)
		return -1;
	for (size_t i = 0; i < s->nrecipients; i++)
		if (put_recipient(out, &s->recipients[i], err) < 0)
			return -1;
	if (put_options(out, s, err) < 0)
		return -1;
	if (!buf_ok(out))
		return error_set(err, REASON_SYSTEM, "no memory for the envelope");
	return 0;
}

int submission_put_piece(struct buf *out, const char *p, size_t n)
{
	while (n) {
		size_t piece = n < LIMIT_CHUNK ? n : LIMIT_CHUNK;

		put_record(out, 'M', p, piece);
		p += piece;
		n -= piece;
	}
	return buf_ok(out) ? 0 : -1;
}

int submission_put_end(struct buf *out, uint64_t message_size)
{
	put_number(out, 'Z', message_size, 8);
	return buf_ok(out) ? 0 : -1;
}
