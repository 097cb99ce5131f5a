#include "config.h"
#include "smtp/connection/channel.h"
#include "base/io.h"
#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 16384 };	/* one TLS record */

void channel_init(struct channel *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	buf_init(&c->in, LIMIT_REPLY_LINE + CHANNEL_FULL + PIECE);
	/* a header comes in one piece, re-encoded */
	buf_init(&c->out, 2 * LIMIT_REPLY_LINE + (1 << 20) + LIMIT_HEADER * 8);
	buf_init(&c->wire, 4 * CHANNEL_FULL);
}

int channel_open(struct channel *c, int fd)
{
	int on = 1;

	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));	/* no harm where it isn't TCP */
	return io_nonblock(fd, true);
}

void channel_close(struct channel *c)
{
	if (c->tls)
		gnutls_deinit(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	buf_wipe(&c->in);
	buf_wipe(&c->out);
	buf_wipe(&c->wire);
	channel_init(c);
}

static void wipe_tail(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data + b->len, b->cap - b->len);
}

void channel_wipe(struct channel *c)
{
	wipe_tail(&c->in);
	wipe_tail(&c->out);
	wipe_tail(&c->wire);
}

void channel_bye(struct channel *c)
{
	channel_flush(c);
	if (c->tls && !c->eof) {
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
		channel_flush(c);
	}
	channel_close(c);
}

bool channel_unsent(const struct channel *c)
{
	return c->out.len || c->wire.len;
}

static int lost(struct channel *c, const char *why)
{
	c->eof = true;
	if (why && !c->trouble[0])
		snprintf(c->trouble, sizeof(c->trouble), "%s", why);
	return -1;
}

ssize_t channel_push(gnutls_transport_ptr_t arg, const void *p, size_t n)
{
	struct channel *c = arg;

	if (buf_add(&c->wire, p, n) < 0) {
		gnutls_transport_set_errno(c->tls, EIO);
		return -1;
	}
	return (ssize_t)n;
}

ssize_t channel_pull(gnutls_transport_ptr_t arg, void *p, size_t n)
{
	struct channel *c = arg;
	ssize_t got = recv(c->fd, p, n, 0);

	if (got < 0)
		gnutls_transport_set_errno(c->tls, errno);
	return got;
}

/* Clear bytes become records in wire, as long as wire is not too full. channel_push never blocks, so
 * GnuTLS never asks for a second try. */
static int encrypt_out(struct channel *c)
{
	size_t done = 0;

	while (c->tls && !c->shaking && done < c->out.len && c->wire.len < CHANNEL_FULL) {
		size_t n = c->out.len - done < PIECE ? c->out.len - done : PIECE;
		ssize_t rc = gnutls_record_send(c->tls, c->out.data + done, n);

		if (rc < 0)
			return lost(c, gnutls_strerror((int)rc));
		done += (size_t)rc;
	}
	buf_drop(&c->out, done);
	return 0;
}

/* The peer takes no more. What it said before it closed may still be there, and tell why ("552 too large"). */
static int refused(struct channel *c, int why)
{
	channel_fill(c);
	return lost(c, strerror(why));
}

static int write_some(struct channel *c, struct buf *from)
{
	while (from->len) {
		ssize_t n = send(c->fd, from->data, from->len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return refused(c, errno);
		c->sent += (uint64_t)n;
		buf_drop(from, (size_t)n);
	}
	return 0;
}

int channel_flush(struct channel *c)
{
	if (c->fd < 0)
		return -1;
	do {
		if (encrypt_out(c) < 0 || write_some(c, c->tls ? &c->wire : &c->out) < 0)
			return -1;
	} while (c->tls && !c->shaking && c->out.len && !c->wire.len);
	return 0;
}

static int alerted(struct channel *c)
{
	const char *name = gnutls_alert_get_name(gnutls_alert_get(c->tls));

	c->alert = true;
	return lost(c, name ? name : "an alert of a kind that is not known");
}

static ssize_t receive_tls(struct channel *c, char *p, size_t n)
{
	ssize_t got = gnutls_record_recv(c->tls, p, n);

	switch (got) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		errno = EAGAIN;
		return -1;
	case GNUTLS_E_REHANDSHAKE:
		return lost(c, "the relay asked for TLS renegotiation"), 0;
	case GNUTLS_E_PREMATURE_TERMINATION:
		return 0;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return alerted(c), 0;
	default:
		if (got < 0)
			return lost(c, gnutls_strerror((int)got)), 0;
		return got;
	}
}

static ssize_t receive(struct channel *c, char *p, size_t n)
{
	ssize_t got;

	if (c->tls)
		return receive_tls(c, p, n);
	got = recv(c->fd, p, n, 0);
	if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return lost(c, strerror(errno)), 0;
	return got;
}

int channel_fill(struct channel *c)
{
	bool any = false;

	if (c->shaking)
		return 0;
	while (!c->eof && c->in.len < CHANNEL_FULL) {
		char *room = buf_room(&c->in, PIECE);
		ssize_t n;

		if (!room)
			return lost(c, "no memory");
		n = receive(c, room, PIECE);
		if (n < 0)
			return any;
		if (n == 0)
			return lost(c, NULL);
		c->in.len += (size_t)n;
		any = true;
		if (!c->tls && n < PIECE)
			break;
	}
	return c->eof ? -1 : any;
}
