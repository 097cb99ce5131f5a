#include "config.h"
#include "submission/incoming.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/text/text.h"

/* In the order of strcmp, so that names sort as the times in them. */
static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

enum { TIME_DIGITS = 11 };	/* 55 bits */

int incoming_put_head(struct buf *out, const struct incoming *in)
{
	buf_adds(out, INCOMING_MAGIC);
	buf_add_be(out, in->uid, 4);
	buf_add_be(out, (uint64_t)in->arrival, 8);
	return buf_ok(out) ? 0 : -1;
}

int incoming_get_head(const char *p, struct incoming *in)
{
	if (memcmp(p, INCOMING_MAGIC, sizeof(INCOMING_MAGIC) - 1) != 0)
		return -1;
	in->uid = (uint32_t)number_be(p + 8, 4);
	in->arrival = (int64_t)number_be(p + 12, 8);
	return 0;
}

int incoming_name(int64_t arrival, char *buf, size_t size)
{
	unsigned char r[INCOMING_NAME];
	uint64_t time = arrival > 0 ? (uint64_t)arrival : 0;

	if (size < INCOMING_NAME + sizeof(".msg") || random_bytes(r, sizeof(r)) < 0)
		return -1;
	for (size_t i = TIME_DIGITS; i-- > 0; time /= 32)
		r[i] = time % 32;
	for (size_t i = 0; i < INCOMING_NAME; i++)
		buf[i] = alphabet[r[i] % 32];
	memcpy(buf + INCOMING_NAME, ".msg", sizeof(".msg"));
	return 0;
}

bool incoming_is_name(const char *name)
{
	return strspn(name, alphabet) == INCOMING_NAME && strcmp(name + INCOMING_NAME, ".msg") == 0;
}

bool incoming_is_unfinished(const char *name)
{
	return strspn(name, alphabet) == INCOMING_NAME && strcmp(name + INCOMING_NAME, ".tmp") == 0;
}

static int read_head(int fd, struct incoming *in, struct error *err)
{
	char head[INCOMING_HEAD];
	ssize_t got = io_read_full(fd, head, sizeof(head));

	if (got < 0)
		return error_sys(err, REASON_IO, "cannot read a file in " INCOMING_DIR);
	if (got < INCOMING_HEAD)
		return error_set(err, REASON_BAD_SUBMISSION, "the file ends within its head");
	if (incoming_get_head(head, in) < 0)
		return error_set(err, REASON_BAD_SUBMISSION, "not a file of outpost-drop of this version");
	return 0;
}

static int decode_file(int fd, struct submission_decoder *d, struct error *err)
{
	enum submission_state state = SUBMISSION_MORE;
	char piece[32768];

	for (;;) {
		ssize_t got = io_read(fd, piece, sizeof(piece));

		if (got < 0)
			return error_sys(err, REASON_IO, "cannot read a file in " INCOMING_DIR);
		if (got == 0)
			break;
		state = submission_decode(d, piece, (size_t)got, err);
		if (state == SUBMISSION_REFUSED)
			return -1;
	}
	if (state != SUBMISSION_COMPLETE)
		return error_set(err, REASON_BAD_SUBMISSION, "the submission has no end record");
	return 0;
}

int incoming_read(int fd, uint64_t size_limit, submission_sink sink, void *arg, struct incoming *in,
		  struct submission_decoder **d, struct error *err)
{
	struct submission_decoder *mine;

	if (read_head(fd, in, err) < 0)
		return -1;
	mine = submission_decoder_new(size_limit, sink, arg);
	if (!mine)
		return error_set(err, REASON_SYSTEM, "no memory");
	if (decode_file(fd, mine, err) < 0) {
		submission_decoder_free(mine);
		return -1;
	}
	*d = mine;
	return 0;
}

struct incoming_body incoming_body_of(int fd)
{
	return (struct incoming_body){.fd = fd, .at = INCOMING_HEAD + sizeof(SUBMISSION_MAGIC) - 1};
}

static int read_at(struct incoming_body *b, void *p, size_t n, struct error *err)
{
	if (io_pread_full(b->fd, p, n, b->at) != (ssize_t)n)
		return error_sys(err, REASON_IO, "cannot read a file in " INCOMING_DIR);
	b->at += n;
	return 0;
}

/* On to the next piece of the message: 1, or 0 at the end record. */
static int next_piece(struct incoming_body *b, struct error *err)
{
	unsigned char head[5];

	for (;;) {
		uint32_t n;

		if (read_at(b, head, sizeof(head), err) < 0)
			return -1;
		n = (uint32_t)number_be(head + 1, sizeof(head) - 1);
		b->end = head[0] == 'Z';
		if (b->end)
			return 0;
		if (head[0] == 'M' && n) {
			b->left = n;
			return 1;
		}
		b->at += n;
	}
}

long incoming_body_read(void *body, char *p, size_t n, struct error *err)
{
	struct incoming_body *b = body;
	int rc = b->end ? 0 : b->left ? 1 : next_piece(b, err);

	if (rc <= 0)
		return rc;
	if (n > b->left)
		n = b->left;
	if (read_at(b, p, n, err) < 0)
		return -1;
	b->left -= (uint32_t)n;
	return (long)n;
}
