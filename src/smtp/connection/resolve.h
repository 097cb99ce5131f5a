/*
 * resolve.h: from a relayhost as written to addresses, in the order in which to try them. The system's
 * resolver; it may block, so this comes before everything that has a deadline of its own.
 */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "delivery/delivery.h"

enum { ENDPOINTS = 48, MX_HOSTS = 8 };

struct endpoint {
	char host[256];		/* the host's name: the relayhost's, or an MX's */
	char address[64];	/* numeric */
	unsigned group;		/* MX of the same preference; those of the next come only when all of these failed */
	bool tried;
	struct sockaddr_storage sa;
	socklen_t len;
};

struct endpoints {
	uint16_t port;
	size_t n;
	struct endpoint list[ENDPOINTS];
};

/* On -1 d has kind, code, dsn and text. */
int resolve(const struct delivery_session *s, struct endpoints *e, struct delivery_down *d);

/* The relayhost's name as it goes to DNS, SNI and certificates: A-labels, no trailing dot. -1: no such name can be. */
int resolve_ascii(char *host, size_t size);

bool resolve_is_address(const char *host);

#endif
