/*
 * relayhost: what is written, and what it means. What can't be meant is answered with the line to write instead.
 */
#include "config.h"
#include "nexthop/relayhost.h"
#include "base/text/lines.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *port;
} services[] = {
	{"smtp", "25"},	  {"submission", "587"}, {"submissions", "465"},
	{"smtps", "465"}, {"ssmtp", "465"},	 {"urd", "465"},
};

/* A number, or a name that we or the system know, as a number. */
static bool parse_port(struct span s, char *port, size_t size)
{
	struct servent *found;
	char name[32];
	uint64_t v;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (span_iscase(s, services[i].name))
			return snprintf(port, size, "%s", services[i].port) > 0;
	if (text_u64(s, 65535, &v))
		return v > 0 && snprintf(port, size, "%u", (unsigned)v) > 0;
	if (!s.n || !span_copy(s, name, sizeof(name)))
		return false;
	found = getservbyname(name, "tcp");
	if (!found)
		return false;
	snprintf(port, size, "%u", (unsigned)ntohs((uint16_t)found->s_port));
	return true;
}

static bool is_literal(const char *host)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static bool is_host(struct span s)
{
	if (!s.n || s.p[0] == '-' || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && !strchr("-._", s.p[i]) &&
		    !((unsigned char)s.p[i] & 0x80))
			return false;
	return text_utf8(s.p, s.n) && !memmem(s.p, s.n, "..", 2);
}

static struct span skip(struct span s, const char *any)
{
	while (s.n && strchr(any, s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* The guess at what was meant: host and port fished out of a URL, transport:nexthop, [host:port], user@host. */
static int refuse(struct span text, const char *words, struct error *err)
{
	static const struct {
		const char *scheme, *port;
	} schemes[] = {
		{"smtps://", "465"}, {"submissions://", "465"}, {"smtp://", "587"}, {"submission://", "587"},
		{"ssl://", "465"}, {"tls://", "587"}, {"https://", "465"}, {"http://", "587"}, {"smtp:", "587"},
		{"relay:", "587"}, {"smtps:", "465"}, {"submission:", "587"},
	};
	char host[256], port[32] = "587";
	struct span rest = skip(text, "[");
	const char *at;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!span_takecase(&rest, schemes[i].scheme))
			continue;
		snprintf(port, sizeof(port), "%s", schemes[i].port);
		break;
	}
	at = memrchr(rest.p, '@', rest.n);
	if (at)
		rest = (struct span){at + 1, rest.n - (size_t)(at + 1 - rest.p)};
	rest = skip(rest, "[");
	while (n < rest.n && !strchr("]:/, \t", rest.p[n]))
		n++;
	if (!is_host((struct span){rest.p, n}) || !span_copy((struct span){rest.p, n}, host, sizeof(host)))
		return error_set(err, REASON_CONFIG, "relayhost: %s; write: relayhost = [mail.example.com]:587", words);
	rest = skip(span_from(rest, n), "]:, \t");
	for (n = 0; n < rest.n && (ascii_alpha(rest.p[n]) || ascii_digit(rest.p[n]));)
		n++;
	parse_port((struct span){rest.p, n}, port, sizeof(port));
	return error_set(err, REASON_CONFIG, "relayhost: %s; write: relayhost = [%s]:%s", words, host, port);
}

/* Splits into host and what stands behind it ("" or ":port"). */
static int split(struct span s, struct relayhost *r, struct span *host, struct span *rest, struct error *err)
{
	r->mx = s.p[0] != '[';
	if (!r->mx)
		return span_cut(span_from(s, 1), ']', host, rest) ? 0 : refuse(s, "the bracket is not closed", err);
	if (span_cut(s, ':', host, rest) && memchr(rest->p, ':', rest->n))
		return refuse(s, "more than one colon outside of brackets", err);
	*rest = span_from(s, host->n);
	return 0;
}

static int take_host(struct span text, struct span host, struct relayhost *r, struct error *err)
{
	span_takecase(&host, "ipv6:");
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!host.n)
		return refuse(text, "no host", err);
	if (!span_copy(host, r->host, sizeof(r->host)))
		return error_set(err, REASON_CONFIG, "relayhost: the host's name is too long");
	if (is_literal(r->host)) {
		r->mx = false;
		return 0;
	}
	if (memchr(host.p, ':', host.n))
		return refuse(text, "the port belongs behind the bracket", err);
	if (memchr(host.p, '=', host.n))	/* of the setting below */
		return error_set(err, REASON_CONFIG,
				 "relayhost: \"%.*s\" is not a host's name; the line below may begin with a blank, and "
				 "so belong "
				 "to this one: remove that blank",
				 (int)host.n, host.p);
	if (!is_host(host))
		return refuse(text, "this is not a host's name", err);
	return 0;
}

static int parse_element(struct conf *c, struct span s, struct relayhost *r, struct error *err)
{
	struct span host = {"", 0}, rest = {"", 0};

	memset(r, 0, sizeof(*r));
	if (!span_copy(s, r->written, sizeof(r->written)))
		return error_set(err, REASON_CONFIG, "relayhost: the entry is too long");
	if (memmem(s.p, s.n, "://", 3))
		return refuse(s, "a host is wanted, not a URL", err);
	if (memchr(s.p, '@', s.n))
		return refuse(s, "a host is wanted; names and passwords belong into smtp_sasl_password_maps", err);
	if (split(s, r, &host, &rest, err) < 0 || take_host(s, host, r, err) < 0)
		return -1;
	if (rest.n &&
	    (rest.p[0] != ':' || !parse_port(span_from(rest, 1), r->port, sizeof(r->port))))
		return refuse(s, "what follows the host is not :PORT", err);
	if (!rest.n && !parse_port(span_of(conf_str(c, P_smtp_tcp_port)), r->port, sizeof(r->port)))
		return conf_fail_at(c, P_smtp_tcp_port, err, "this is not a port");
	if (strcmp(r->port, "465") == 0)
		r->implicit_tls = true;
	else if (strcmp(r->port, "587") != 0)
		r->implicit_tls = conf_bool(c, P_smtp_tls_wrappermode);
	return 0;
}

static bool only_digits(struct span s)
{
	uint64_t v;

	return text_u64(s, UINT64_MAX, &v);
}

int relayhost_parse(struct conf *c, const char *text, struct relayhost *r, struct error *err)
{
	struct span s = span_trim(span_of(text));

	if (!s.n)
		return error_set(err, REASON_CONFIG, "relayhost: no host");
	for (size_t i = 0; i < s.n; i++)
		if (ascii_space(s.p[i]) || s.p[i] == ',')
			return refuse(s, "one relay is wanted here", err);
	return parse_element(c, s, r, err);
}

static int add_relays(struct conf *c, enum conf_param p, struct relayhost *r, size_t max, size_t *n, struct error *err)
{
	struct span rest = span_of(conf_str(c, p)), one;

	while (list_next(&rest, &one)) {
		struct span next = rest, after;
		int rc = 0;

		if (list_next(&next, &after) && only_digits(after))
			rc = refuse((struct span){one.p, (size_t)(after.p + after.n - one.p)},
				    "a colon belongs between host and port", err);
		else if (*n < max)
			rc = parse_element(c, one, &r[(*n)++], err);
		if (rc < 0 && conf_line(c, p))
			error_prefix(err, "%s:%u", conf_path(c), conf_line(c, p));
		if (rc < 0)
			return -1;
	}
	return 0;
}

int relayhost_list(struct conf *c, struct relayhost *r, size_t max, struct error *err)
{
	size_t n = 0;

	if (add_relays(c, P_relayhost, r, max, &n, err) < 0)
		return -1;
	if (n && add_relays(c, P_smtp_fallback_relay, r, max, &n, err) < 0)
		return -1;
	return (int)n;
}

/* " (line 3 says relay_host)", when a name in main.cf was probably meant to be this one. */
static const char *misspelt(const struct conf *c, const char *name, char *out, size_t size)
{
	const struct conf_unused *list;
	size_t n = conf_unused(c, &list);

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (list[i].nearest && strcmp(list[i].nearest, name) == 0)
			snprintf(out, size, " (line %u says %.100s, which is no parameter)", list[i].line,
				 list[i].name);
	return out;
}

int relayhost_route(struct conf *c, struct relayhost *r, size_t max, struct error *err)
{
	int n = relayhost_list(c, r, max, err);
	char why[200];

	if (n == 0 && !*conf_str(c, P_sender_dependent_relayhost_maps))
		return error_set(err, REASON_CONFIG,
				 "relayhost is not set%s: write relayhost = [smtp.example.com]:587 into %s/main.cf",
				 misspelt(c, "relayhost", why, sizeof(why)), conf_dir(c));
	return n;
}
