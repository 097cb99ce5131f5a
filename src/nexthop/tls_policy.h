/*
 * nexthop/tls_policy.h: what main.cf and smtp_tls_policy_maps say of TLS to one relay, ready for the delivery agent.
 */
#ifndef CONF_TLS_H
#define CONF_TLS_H

#include "conf/conf.h"

struct conf_tls {
	char level[16];			/* none may encrypt fingerprint verify secure */
	char match[1024];		/* verify, secure: hostname nexthop dot-nexthop and names, separated by blanks */
	char fingerprints[1024];	/* fingerprint: as written, separated by blanks */
	char digest[16];
	char cafile[1024], capath[1024];/* cafile is "" where the file named is a system's bundle that this system keeps elsewhere */
	char priority[1024];		/* for gnutls_priority_init */
};

/* notes: sentences, one a line, of what could not be done as written (a cipher that GnuTLS can't exclude, ...). */
int conf_tls(struct conf *c, const struct conf_relay *r, struct conf_tls *out, struct buf *notes, struct error *err);
/* Whether this is where another distribution keeps its CA certificates, and nothing is there: the system's own are used. */
bool conf_tls_foreign_bundle(const char *path);

/* Pure: Postfix's words to a GnuTLS priority string. protocols in both syntaxes (">=TLSv1.2", "!TLSv1"); grade high, medium,
 * ...; exclude a list of OpenSSL's names. EX_CONFIG when no protocol is left. */
int conf_tls_priority(const char *protocols, const char *grade, const char *exclude, struct buf *out, struct buf *notes,
		      struct error *err);

#endif
