/*
 * certificate.h: what an X.509 certificate says, and the words for why it is not accepted.
 */
#ifndef SMTP_CERTIFICATE_H
#define SMTP_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/reason.h"
#include "base/text/text.h"

enum { CERT_NAMES = 1024 };	/* authorities sign for several hundred */

/* The subjectAltNames that can name a host. */
struct cert_names {
	size_t n;
	struct {
		bool address;		/* iPAddress: 4 or 16 bytes; otherwise a dNSName */
		size_t len;
		char value[256];
	} name[CERT_NAMES];
};

void cert_names(gnutls_x509_crt_t leaf, struct cert_names *out);
void cert_names_print(const struct cert_names *names, char *out, size_t size);
/* host: a name in ASCII or a numeric address. sub: names below host instead. */
bool cert_has_name(const struct cert_names *names, const char *host, bool sub);
/* Pure: whether a dNSName stands for host: the same, or one whole left-most label as wildcard. */
bool cert_name_matches(struct span san, const char *host);
/* Pure: whether it is a name (or wildcard) below host. */
bool cert_name_below(struct span san, const char *host);

void cert_subject(gnutls_x509_crt_t leaf, char *out, size_t size);
/* "AB:CD:..." by this digest (empty: sha256). */
void cert_fingerprint(gnutls_x509_crt_t leaf, const char *digest, char *out, size_t size);
/* Whether the certificate's or its public key's fingerprint is in the list. */
bool cert_pinned(gnutls_x509_crt_t leaf, const char *digest, const char *list);
void cert_date(int64_t seconds, char *out, size_t size);	/* "2026-01-31", UTC */

/* Why the chain that the relay showed was not accepted; out: in words. */
enum reason cert_explain(gnutls_session_t session, gnutls_x509_crt_t leaf, unsigned status, int authorities,
		  char *out, size_t size);

/* " server-signature RSA-PSS (2048 bits) server-digest SHA256", or nothing. */
void cert_signature_words(gnutls_session_t session, char *out, size_t size);

#endif
