/*
 * tls.h: TLS with the relay by GnuTLS: what is trusted, what the certificate must say, and the words for what is
 * wrong with it.
 *
 * The relay is verified inside the handshake: chain, dates, revocation, strength, key purpose serverAuth, and
 * a name among the subjectAltNames (never the CN), or a pinned fingerprint. Where the level demands it, or where a
 * password is to follow, the handshake fails without it.
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>

#include "base/error.h"
#include "base/text/text.h"
#include "delivery/delivery.h"

struct agent;

struct trust {
	gnutls_certificate_credentials_t cred;	/* NULL: not loaded yet */
	gnutls_priority_t priority;
	int authorities;		/* how many CA certificates */
};

/* Loads CAs, CRLs, client certificate and priorities; nothing the second time. */
int trust_load(struct trust *t, const struct delivery_session *s, struct error *err);
void trust_free(struct trust *t);

struct peer_certificate {
	bool shown;		/* the relay sent one */
	bool trusted;		/* chain, dates, purpose, strength */
	bool named;		/* a name that this level accepts */
	bool named_login;	/* the name written as relayhost: what a password needs */
	bool pinned;		/* its fingerprint is one of those written down */
	int64_t expires;	/* of the leaf; 0: none */
	enum reason why;	/* it is not trusted */
	char chain_problem[400];/* in words, or empty */
	char name_problem[400];
	char names[300];	/* the names it has */
	char name[256];		/* the first of them */
	char fingerprint[200];	/* SHA-256 or whatever digest is configured, of the leaf */
	char subject[200];
};

/* Levels as in Postfix. */
bool tls_required(const struct delivery_session *s);
/* Whether a password may follow: verified, or an opt-out. */
bool tls_login_allowed(const struct agent *a);

/* Whether TLS itself failed, so that a connection without it may do where none is required. */
bool tls_caused(enum reason why);

/* Whether nobody but the relay written down would read it. */
bool tls_login_verified(const struct agent *a);

/* The handshake on the open connection of a. 0: a->ch is TLS, a->cert and a->ready filled; -1: a->down. */
int tls_start(struct agent *a);

#endif
