/*
 * channel.h: the byte channel to the relay, plain or inside TLS.
 *
 * Nothing here waits. Bytes to send collect in `out`; channel_flush encrypts them and hands as much to the
 * socket as it takes, one write for all that is there: a group of commands is one segment where it
 * fits. channel_fill reads what has come into `in`. Whoever waits (agent.h) knows the deadline.
 */
#ifndef SMTP_CHANNEL_H
#define SMTP_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "base/buf.h"

enum { CHANNEL_FULL = 64 << 10 };	/* bytes in out from which nobody should add more */

struct channel {
	int fd;			/* non-blocking; -1: none */
	gnutls_session_t tls;	/* NULL: plain */
	bool shaking;		/* in the handshake: nothing is encrypted or decrypted yet */
	struct buf in;		/* received, not yet taken */
	struct buf out;		/* to be sent, clear */
	struct buf wire;	/* encrypted, not yet taken by the socket */
	uint64_t sent;		/* bytes the socket took */
	bool eof;		/* the peer ended; in may still hold bytes */
	char trouble[200];	/* why, when it was not an orderly end */
	bool alert;		/* it was a fatal alert of the relay's TLS, named in trouble */
};

void channel_init(struct channel *c);
/* Takes over a connected socket; Nagle off, non-blocking. */
int channel_open(struct channel *c, int fd);
void channel_close(struct channel *c);	/* without ceremony; wipes */
void channel_wipe(struct channel *c);	/* forgets bytes that were sent or taken: a password may be among them */
void channel_bye(struct channel *c);	/* close_notify as far as the socket takes it, then channel_close */

bool channel_unsent(const struct channel *c);
/* Sends what the socket takes. -1: the connection is lost (eof and trouble are set). */
int channel_flush(struct channel *c);
/* Reads what is there, at most until in holds CHANNEL_FULL. 1: something came, 0: nothing, -1: the end (eof). */
int channel_fill(struct channel *c);

/* For GnuTLS: its transport functions, with the channel as pointer. */
ssize_t channel_push(gnutls_transport_ptr_t c, const void *p, size_t n);
ssize_t channel_pull(gnutls_transport_ptr_t c, void *p, size_t n);

#endif
