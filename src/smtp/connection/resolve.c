#include "config.h"
#include "smtp/connection/resolve.h"
#include "base/text/text.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <idn2.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MX_SEEN = 64 };	/* of which the MX_HOSTS best are tried */

struct mx {
	unsigned preference;
	char host[256];
};

bool resolve_is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int resolve_ascii(char *host, size_t size)
{
	size_t n = strlen(host);
	uint8_t *ascii = NULL;
	int rc;

	if (n > 1 && host[n - 1] == '.')
		host[n - 1] = '\0';
	if (!text_8bit(host, strlen(host)))
		return 0;
	if (idn2_lookup_u8((const uint8_t *)host, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	rc = strlen((char *)ascii) < size ? 0 : -1;
	if (rc == 0)
		memcpy(host, ascii, strlen((char *)ascii) + 1);
	idn2_free(ascii);
	return rc;
}

/* The names that tutorials use, so that a container without /etc/services knows them. */
static int find_port(const char *port, uint16_t *out)
{
	static const struct {
		const char *name;
		uint16_t port;
	} known[] = {{"submission", 587}, {"submissions", 465}, {"smtps", 465}, {"ssmtp", 465}, {"smtp", 25}};
	struct servent *s;
	uint64_t n;

	if (text_u64(span_of(port), 65535, &n)) {
		*out = (uint16_t)n;
		return n ? 0 : -1;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (ascii_case_equal(port, known[i].name)) {
			*out = known[i].port;
			return 0;
		}
	s = getservbyname(port, "tcp");
	if (!s)
		return -1;
	*out = ntohs((uint16_t)s->s_port);
	return 0;
}

/* ---- MX */

static int by_preference(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	return (x->preference > y->preference) - (x->preference < y->preference);
}

static int dns_down(struct delivery_down *d, const char *host, const char *type, int why)
{
	enum reason failed = strcmp(type, "MX") == 0 ? REASON_DNS_MX_FAILED : REASON_DNS_FAILED;

	if (why == HOST_NOT_FOUND)
		return delivery_say_down(d, REASON_DNS_NOT_FOUND, "host %s not found: the name does not exist", host);
	return delivery_say_down(d, failed, "host %s: %s (type %s)", host,
				 why == TRY_AGAIN ? "no answer from the name server" : "the name server failed", type);
}

/* Records that are cut short, or whose name doesn't expand, are left out. */
static size_t parse_mx(const unsigned char *answer, int len, struct mx *list)
{
	size_t n = 0;
	ns_msg msg;

	if (ns_initparse(answer, len, &msg) < 0)
		return 0;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an) && n < MX_SEEN; i++) {
		ns_rr rr;

		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			break;
		if (ns_rr_type(rr) != ns_t_mx || ns_rr_rdlen(rr) < 3)
			continue;
		list[n].preference = ns_get16(ns_rr_rdata(rr));
		if (dn_expand(answer, answer + len, ns_rr_rdata(rr) + 2, list[n].host, sizeof(list[n].host)) >= 0)
			n++;
	}
	qsort(list, n, sizeof(*list), by_preference);
	return n < MX_HOSTS ? n : MX_HOSTS;
}

/* How many MX, 0 when the domain has none (its own address is then used), -1. A name that DNS does not know may stand
 * in /etc/hosts. */
static int look_up_mx(const char *domain, struct mx *list, struct delivery_down *d)
{
	static unsigned char answer[16384];
	int len = res_query(domain, ns_c_in, ns_t_mx, answer, sizeof(answer));
	size_t n;

	if (len < 0)
		return h_errno == NO_DATA || h_errno == HOST_NOT_FOUND ? 0 : dns_down(d, domain, "MX", h_errno);
	if (len > (int)sizeof(answer))
		len = (int)sizeof(answer);
	n = parse_mx(answer, len, list);
	if (n == 1 && !list[0].host[0])
		return delivery_say_down(d, REASON_DNS_NO_MX, "%s says that it accepts no mail (null MX)", domain);
	return (int)n;
}

/* ---- addresses */

static int wanted_family(const char *protocols)
{
	bool four = strstr(protocols, "ipv4") || strstr(protocols, "all") || !protocols[0];
	bool six = strstr(protocols, "ipv6") || strstr(protocols, "all") || !protocols[0];

	return four && six ? AF_UNSPEC : six ? AF_INET6 : AF_INET;
}

/* A resolver may give an address twice: glibc does for localhost where /etc/hosts has "::1 localhost" and there is no
 * IPv6. Tried twice it would be shown a refused password twice. Another name for it is another endpoint, with a
 * certificate of its own. */
static bool has_endpoint(const struct endpoints *e, const char *host, const char *address)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->list[i].address, address) == 0 && ascii_case_equal(e->list[i].host, host))
			return true;
	return false;
}

static void add_endpoint(struct endpoints *e, const char *host, unsigned group, const struct addrinfo *ai)
{
	struct endpoint *p = &e->list[e->n];

	if (e->n == ENDPOINTS || ai->ai_addrlen > sizeof(p->sa))
		return;
	memset(p, 0, sizeof(*p));
	snprintf(p->host, sizeof(p->host), "%s", host);
	p->group = group;
	memcpy(&p->sa, ai->ai_addr, ai->ai_addrlen);
	p->len = ai->ai_addrlen;
	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, p->address, sizeof(p->address), NULL, 0, NI_NUMERICHOST) == 0 &&
	    !has_endpoint(e, p->host, p->address))
		e->n++;
}

/* First the addresses of the family that is preferred; with "any" the resolver's own order. */
static void add_all(struct endpoints *e, const char *host, unsigned group, const struct addrinfo *list,
		    const char *preference)
{
	int first = ascii_case_equal(preference, "ipv4")   ? AF_INET
		    : ascii_case_equal(preference, "ipv6") ? AF_INET6
							   : 0;

	for (int pass = 0; pass < 2; pass++)
		for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
			if ((pass == 0) == (!first || ai->ai_family == first))
				add_endpoint(e, host, group, ai);
}

static int resolver_down(struct delivery_down *d, const char *host, const char *protocols, int rc)
{
	switch (rc) {
	case EAI_NONAME:
		return dns_down(d, host, "A", HOST_NOT_FOUND);
#if defined(EAI_NODATA) && defined(EAI_ADDRFAMILY)
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return delivery_say_down(d, REASON_DNS_NOT_FOUND, "host %s has no address that inet_protocols = %s "
								  "allows", host,
					 protocols);
#endif
	case EAI_AGAIN:
		return dns_down(d, host, "A", TRY_AGAIN);
	case EAI_SYSTEM:
	case EAI_MEMORY:
		return delivery_say_down(d, REASON_SYSTEM, "looking up host %s: %s", host, gai_strerror(rc));
	default:
		return delivery_say_down(d, REASON_DNS_FAILED, "looking up host %s: %s", host, gai_strerror(rc));
	}
}

/* RFC 6761 6.3: localhost is this machine, also where no /etc/hosts says so (a bare container). */
static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t n = strlen(host);

	n -= n && host[n - 1] == '.';
	if (n < sizeof(name) - 1 || strncasecmp(host + n - (sizeof(name) - 1), name, sizeof(name) - 1) != 0)
		return false;
	return n == sizeof(name) - 1 || host[n - sizeof(name)] == '.';
}

static int look_up_host(const struct delivery_session *s, const char *host, unsigned group, struct endpoints *e,
			struct delivery_down *d)
{
	struct addrinfo hints = {.ai_family = wanted_family(s->inet_protocols), .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICSERV}, *list;
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%u", e->port);
	if (resolve_is_address(host))
		hints.ai_flags |= AI_NUMERICHOST;
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc && is_localhost(host))
		rc = getaddrinfo(NULL, port, &hints, &list);
	if (rc)
		return resolver_down(d, host, s->inet_protocols, rc);
	add_all(e, host, group, list, s->address_preference);
	freeaddrinfo(list);
	return 0;
}

static int look_up_exchangers(const struct delivery_session *s, const struct mx *list, int n, struct endpoints *e,
			      struct delivery_down *d)
{
	for (int i = 0; i < n; i++)
		look_up_host(s, list[i].host, list[i].preference, e, d);
	return e->n ? 0 : -1;
}

int resolve(const struct delivery_session *s, struct endpoints *e, struct delivery_down *d)
{
	struct mx list[MX_SEEN];
	int n = 0, rc;

	memset(e, 0, sizeof(*e));
	if (!s->host[0])
		return delivery_say_down(d, REASON_CONFIG, "no relayhost is set in main.cf");
	if (find_port(s->port[0] ? s->port : "587", &e->port) < 0)
		return delivery_say_down(d, REASON_CONFIG, "relayhost: unknown port \"%s\"", s->port);
	if (s->mx && !resolve_is_address(s->host) && !is_localhost(s->host)) {
		n = look_up_mx(s->host, list, d);
		if (n < 0)
			return -1;
	}
	rc = n ? look_up_exchangers(s, list, n, e, d) : look_up_host(s, s->host, 0, e, d);
	if (rc == 0 && !e->n)
		return delivery_say_down(d, REASON_CONFIG, "host %s has no address that inet_protocols = %s allows",
					 s->host,
			    s->inet_protocols);
	if (rc == 0)
		d->reason = REASON_NONE;
	return rc;
}
