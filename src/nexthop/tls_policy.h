/* tls_policy.h: what main.cf and smtp_tls_policy_maps say of TLS to one relay, for the delivery agent. */
#ifndef NEXTHOP_TLS_POLICY_H
#define NEXTHOP_TLS_POLICY_H

#include "base/buf.h"
#include "base/error.h"
#include "delivery/delivery.h"
#include "nexthop/relayhost.h"

/* Fills the fields of *s that are about TLS, but for those that are a parameter as it stands. notes: sentences, one a
 * line, of what could not be done as written (a cipher that GnuTLS can't exclude, ...). cafile is "" where the file
 * named is a system's bundle that this system keeps elsewhere. */
int tls_policy(struct conf *c, const struct relayhost *r, struct delivery_session *s, struct buf *notes,
	       struct error *err);

/* Whether this is where another distribution keeps its CA certificates, and nothing is there: the system's own are
 * used. */
bool tls_foreign_bundle(const char *path);

/* Pure: Postfix's words to a GnuTLS priority string. protocols in both syntaxes (">=TLSv1.2", "!TLSv1"); grade high,
 * medium,
 * ...; exclude a list of OpenSSL's names. EX_CONFIG when no protocol is left. */
int tls_priority(const char *protocols, const char *grade, const char *exclude, struct buf *out, struct buf *notes,
		 struct error *err);

#endif
