/*
 * flood.c: TLS 1.3 session tickets without end: records that carry no text. GnuTLS makes some thousands in a second,
 * and a client that is to be kept busy needs more: here they are encrypted by hand, with the session's own key and
 * numbers.
 */
#include "config.h"

#include <string.h>
#include <gnutls/crypto.h>

#include "tests/relay/relay.h"

enum { RECORDS = 1000, HEADER = 5, NONCE = 12, TAG = 16, SEQUENCE = 8 };

/* A ticket of four bytes that is good for nothing, and the type of its record (RFC 8446 4.6.1, 5.2). */
static const unsigned char ticket[] = {4, 0, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 4, 't', 't', 't', 't', 0, 0, 22};

static void one(struct conn *c, gnutls_aead_cipher_hd_t cipher, const unsigned char *iv, unsigned char *sequence)
{
	unsigned char record[HEADER + sizeof ticket + TAG] = {23, 3, 3, 0, sizeof ticket + TAG}, nonce[NONCE];
	size_t n = sizeof record - HEADER;

	memcpy(nonce, iv, NONCE);
	for (size_t i = 0; i < SEQUENCE; i++)
		nonce[NONCE - SEQUENCE + i] ^= sequence[i];
	gnutls_aead_cipher_encrypt(cipher, nonce, NONCE, record, HEADER, TAG, ticket, sizeof ticket, record + HEADER,
				   &n);
	conn_below(c, (char *)record, sizeof record);
	for (size_t i = SEQUENCE; i-- > 0 && !++sequence[i];)
		;
}

void flood(struct conn *c)
{
	gnutls_datum_t mac, iv, key;
	gnutls_aead_cipher_hd_t cipher;
	unsigned char sequence[SEQUENCE];

	if (c->tls_state != TLS_ON || gnutls_protocol_get_version(c->tls) != GNUTLS_TLS1_3 ||
	    gnutls_record_get_state(c->tls, 0, &mac, &iv, &key, sequence) < 0 || iv.size != NONCE ||
	    gnutls_aead_cipher_init(&cipher, gnutls_cipher_get(c->tls), &key) < 0)
		return;
	for (int i = 0; i < RECORDS; i++)
		one(c, cipher, iv.data, sequence);
	gnutls_aead_cipher_deinit(cipher);
	gnutls_record_set_state(c->tls, 0, sequence);
}
