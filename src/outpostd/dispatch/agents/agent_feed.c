/*
 * agent_feed.c: a message as frames for an agent: the envelope, the header rewritten, the stored body. A small
 * one follows its START at once; a large one goes chunk by chunk when the agent asks for it, so that memory
 * is the same for any size.
 */
#include "config.h"
#include "outpostd/outpostd.h"

#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/process/step.h"

static char piece[LIMIT_CHUNK];

static void put_body(struct agent *a, uint64_t seq, const char *p, size_t n)
{
	while (n) {
		size_t part = n < LIMIT_CHUNK ? n : LIMIT_CHUNK;
		size_t mark = frame_begin(&a->out, TO_AGENT_BODY);

		frame_u64(&a->out, seq);
		frame_str(&a->out, p, part);
		frame_finish(&a->out, mark);
		p += part;
		n -= part;
	}
}

static void put_seq(struct agent *a, uint8_t type, uint64_t seq)
{
	size_t mark = frame_begin(&a->out, type);

	frame_u64(&a->out, seq);
	frame_finish(&a->out, mark);
}

/* The header as stored, in memory of its own; *first holds the message's first bytes already. */
static int stored_header(struct outpostd *d, const struct queue_message *m, const char *first, size_t have,
			 struct buf *header, struct error *err)
{
	size_t rest = m->header_size > have ? m->header_size - have : 0;
	char *room;
	long got;

	if (buf_add(header, first, rest ? have : m->header_size) < 0)
		return error_set(err, REASON_SYSTEM, "out of memory");
	if (!rest)
		return 0;
	room = buf_room(header, rest);
	if (!room)
		return error_set(err, REASON_SYSTEM, "out of memory");
	got = queue_read(d->queue, m->row, have, room, rest, err);
	if (got < 0)
		return -1;
	header->len += (size_t)got;
	return 0;
}

static int make_header(struct outpostd *d, struct claim *c, const char *first, size_t have, uint64_t *old_lines,
		       struct error *err)
{
	struct buf stored;
	int rc;

	buf_init(&stored, LIMIT_HEADER + 1);
	buf_init(&c->header, LIMIT_HEADER_SENT);
	rc = stored_header(d, &c->m, first, have, &stored, err);
	*old_lines = span_lines((struct span){buf_str(&stored), stored.len});
	if (rc == 0)
		rc = rewrite_header(&d->rules.r, c->m.id, buf_str(&stored), stored.len, &c->header, err);
	if (rc == 0 && text_8bit(buf_str(&c->header), c->header.len))
		c->m.body = '8';	/* main.cf may have put there what the caller did not write */
	buf_free(&stored);
	return rc;
}

static int put_start(struct agent *a, struct claim *c, uint64_t lines, struct error *err)
{
	const struct queue_message *m = &c->m;
	struct delivery_recipient *r = calloc(m->nrecipients, sizeof(*r));
	struct delivery_message msg = {
		.seq = c->seq, .queue_id = m->id, .sender = c->sender, .envid = m->envid, .ret = m->ret,
		.body = m->body, .smtputf8 = m->smtputf8, .size = c->size, .lines = lines,
		.recipients = r, .nrecipients = m->nrecipients,
	};
	int rc;

	if (!r)
		return error_set(err, REASON_SYSTEM, "out of memory");
	for (size_t i = 0; i < m->nrecipients; i++)
		r[i] = (struct delivery_recipient){m->recipients[i].id, m->recipients[i].address,
						   m->recipients[i].orcpt, m->recipients[i].notify};
	rc = delivery_put_message(&a->out, &msg);
	free(r);
	return rc < 0 ? error_set(err, REASON_SYSTEM, "out of memory") : 0;
}

static int rewritten_sender(struct outpostd *d, struct claim *c, struct error *err)
{
	struct buf out;

	buf_init(&out, LIMIT_ADDRESS * 2);
	if (rewrite_sender(&d->rules.r, c->m.sender, &out, err) < 0) {
		buf_free(&out);
		return -1;
	}
	c->sender = strdup(buf_str(&out));
	buf_free(&out);
	return c->sender ? 0 : error_set(err, REASON_SYSTEM, "out of memory");
}

int feed_begin(struct agent *a, struct claim *c, struct error *err)
{
	struct outpostd *d = a->d;
	size_t undo = a->out.len;
	uint64_t old_lines, lines = 0;
	long have;

	if (c->m.header_size > LIMIT_HEADER || c->m.header_size > c->m.size)
		c->m.header_size = 0; /* nothing that we can call a header */
	have = queue_read(d->queue, c->m.row, 0, piece, sizeof(piece), err);
	if (have < 0 || rewritten_sender(d, c, err) < 0 ||
	    make_header(d, c, piece, (size_t)have, &old_lines, err) < 0)
		return -1;
	c->size = c->m.size - c->m.header_size + c->header.len;
	if ((uint64_t)have == c->m.size)
		lines = span_lines((struct span){piece, (size_t)have}) - old_lines +
			span_lines((struct span){buf_str(&c->header), c->header.len});
	else if (c->m.lines)
		lines = c->m.lines - old_lines + span_lines((struct span){buf_str(&c->header), c->header.len});
	if (put_start(a, c, lines, err) < 0) {
		buf_cut(&a->out, undo);
		return -1;
	}
	if (c->size <= LIMIT_CHUNK && (uint64_t)have == c->m.size) {
		put_body(a, c->seq, c->header.data, c->header.len);
		put_body(a, c->seq, piece + c->m.header_size, (size_t)have - c->m.header_size);
		put_seq(a, TO_AGENT_BODY_END, c->seq);
		buf_free(&c->header);
	} else if (c->size <= LIMIT_CHUNK) {
		feed_body(c); /* the header shrank: the agent expects it unasked */
		feed_more(a, c);
	}
	STEP("letter-begun");
	return buf_ok(&a->out) ? 0 : error_set(err, REASON_SYSTEM, "out of memory");
}

void feed_body(struct claim *c)
{
	c->streaming = true;
	c->offset = 0;
}

static void put_failed(struct agent *a, struct claim *c, const struct error *err)
{
	size_t mark = frame_begin(&a->out, TO_AGENT_BODY_FAILED);

	frame_u64(&a->out, c->seq);
	frame_cstr(&a->out, err->text);
	frame_finish(&a->out, mark);
}

/* offset counts the message as sent: the header first, then what is stored after the old one. */
int feed_more(struct agent *a, struct claim *c)
{
	struct error err = {0};

	while (c->streaming && a->out.len < AGENT_FEED) {
		uint64_t stored;
		long got;

		if (c->offset < c->header.len) {
			put_body(a, c->seq, c->header.data, c->header.len);
			c->offset = c->header.len;
			continue;
		}
		stored = c->offset - c->header.len + c->m.header_size;
		got = stored < c->m.size ? queue_read(a->d->queue, c->m.row, stored, piece, sizeof(piece), &err) : 0;
		if (got > 0) {
			put_body(a, c->seq, piece, (size_t)got);
			c->offset += (uint64_t)got;
			continue;
		}
		c->streaming = false;
		if (got == 0 && stored != c->m.size)
			got = error_set(&err, REASON_DATA, "the queue holds only a part of this message");
		if (got < 0)
			put_failed(a, c, &err);
		else
			put_seq(a, TO_AGENT_BODY_END, c->seq);
	}
	return buf_ok(&a->out) ? 0 : -1;
}
