/* flags.c: the command line. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tests/relay/relay.h"

static const struct {
	const char *word;
	unsigned bit;
} extensions[] = {
	{"PIPELINING", EXT_PIPELINING}, {"SIZE", EXT_SIZE}, {"8BITMIME", EXT_8BITMIME},
	{"SMTPUTF8", EXT_SMTPUTF8}, {"DSN", EXT_DSN}, {"ENHANCEDSTATUSCODES", EXT_ENHANCED},
	{"CHUNKING", EXT_CHUNKING},
};

static void die(const char *what, const char *arg)
{
	fprintf(stderr, "relay: %s: %s\n", what, arg);
	exit(EX_USAGE);
}

static uint64_t number(const char *name, const char *s)
{
	uint64_t n;

	if (!text_u64(span_of(s), INT64_MAX, &n))
		die(name, s);
	return n;
}

/* A list of extensions, separated by blanks or commas; "none" is none. */
static unsigned ext_list(const char *s)
{
	struct span rest = span_of(s), word;
	unsigned bits = 0;

	while (span_word(&rest, ", ", &word)) {
		size_t i = 0, n = sizeof extensions / sizeof *extensions;

		if (span_iscase(word, "none"))
			continue;
		while (i < n && !span_iscase(word, extensions[i].word))
			i++;
		if (i == n)
			die("no such extension", s);
		bits |= extensions[i].bit;
	}
	return bits;
}

static void mech_list(struct options *o, const char *s)
{
	struct span rest = span_of(s), word;

	o->nmechs = 0;
	while (span_word(&rest, ", ", &word))
		if (!span_iscase(word, "none") && o->nmechs < MAX_MECHS && word.n < sizeof o->mechs[0])
			snprintf(o->mechs[o->nmechs++], sizeof o->mechs[0], "%.*s", (int)word.n, word.p);
}

static void add_user(struct options *o, const char *s, bool token)
{
	char *name = strdup(s), *colon = name ? strchr(name, ':') : NULL;

	if (!colon || o->nusers == MAX_USERS)
		die("not NAME:PASSWORD, or too many", s);
	*colon = '\0';
	o->users[o->nusers++] = (struct user){name, colon + 1, token};
}

static void set_cert(struct options *o, const char *v)
{
	if (o->certs == MAX_CERTS)
		die("too many certificates", v);
	o->cert[o->certs++] = v;
}

static void set_key(struct options *o, const char *v)
{
	if (!o->certs)
		die("--key stands behind its --cert", v);
	o->key[o->certs - 1] = v;
}

static void set_bind(struct options *o, const char *v) { o->bind = v; }
static void set_port587(struct options *o, const char *v) { o->port587 = v; }
static void set_port465(struct options *o, const char *v) { o->port465 = v; }
static void set_ports(struct options *o, const char *v) { o->ports_file = v; }
static void set_client_ca(struct options *o, const char *v) { o->client_ca = v; }
static void set_client_required(struct options *o, const char *v) { (void)v; o->client_cert_required = true; }
static void set_priority(struct options *o, const char *v) { o->priority = v; }
static void set_user(struct options *o, const char *v) { add_user(o, v, false); }
static void set_token(struct options *o, const char *v) { add_user(o, v, true); }
static void set_auth(struct options *o, const char *v) { mech_list(o, v); }
static void set_ext(struct options *o, const char *v) { o->ext = ext_list(v); }
static void set_no_ext(struct options *o, const char *v) { o->ext &= ~ext_list(v); }
static void set_no_starttls(struct options *o, const char *v) { (void)v; o->no_starttls = true; }
static void set_plain_ok(struct options *o, const char *v) { (void)v; o->plain_ok = true; }
static void set_auth_clear(struct options *o, const char *v) { (void)v; o->auth_without_tls = true; }
static void set_auth_optional(struct options *o, const char *v) { (void)v; o->auth_optional = true; }
static void set_half_duplex(struct options *o, const char *v) { (void)v; o->half_duplex = true; }
static void set_dump(struct options *o, const char *v) { o->dump = v; }
static void set_log(struct options *o, const char *v) { o->log = v; }
static void set_stats(struct options *o, const char *v) { o->stats = v; }
static void set_dialogue(struct options *o, const char *v) { o->dialogue = v; }
static void set_name(struct options *o, const char *v) { o->name = v; }
static void set_size(struct options *o, const char *v) { o->size = number("--size", v); }
static void set_rcpts(struct options *o, const char *v) { o->max_rcpts = number("--max-rcpts", v); }
static void set_messages(struct options *o, const char *v) { o->max_messages = number("--max-messages", v); }
static void set_rtt(struct options *o, const char *v) { o->rtt_us = number("--rtt", v) * 1000; }
static void set_iter(struct options *o, const char *v) { o->scram_iterations = number("--scram-iterations", v); }
static void set_claim(struct options *o, const char *v) { o->scram_claim = number("--scram-claim", v); }
static void set_rcvbuf(struct options *o, const char *v) { o->rcvbuf = number("--rcvbuf", v); }
static void set_sndbuf(struct options *o, const char *v) { o->sndbuf = number("--sndbuf", v); }
static void set_die(struct options *o, const char *v) { (void)v; o->die_with = 1; }
static void set_quiet(struct options *o, const char *v) { (void)v; o->keep_quiet = true; }

static const struct {
	const char *name, *arg, *help;
	void (*set)(struct options *, const char *);
} table[] = {
	{"--bind", "ADDRESS", "loopback address to listen on [127.0.0.1]", set_bind},
	{"--port587", "N|off", "port that speaks STARTTLS; 0: a free one [0]", set_port587},
	{"--port465", "N|off", "port with implicit TLS; 0: a free one [0]", set_port465},
	{"--ports", "FILE", "write `port587 N` and `port465 N` there once it listens, not to stdout", set_ports},
	{"--cert", "FILE", "certificate chain, PEM; repeatable: chosen by SNI", set_cert},
	{"--key", "FILE", "its key; without any certificate there is no TLS", set_key},
	{"--client-ca", "FILE", "ask clients for a certificate of this CA", set_client_ca},
	{"--client-cert-required", NULL, "and insist", set_client_required},
	{"--priority", "STRING", "GnuTLS priority string [NORMAL]", set_priority},
	{"--user", "NAME:PASSWORD", "repeatable; with a user, MAIL needs AUTH", set_user},
	{"--token", "NAME:TOKEN", "the same for XOAUTH2 and OAUTHBEARER", set_token},
	{"--auth", "LIST", "mechanisms [PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256]; none", set_auth},
	{"--auth-without-tls", NULL, "offer AUTH before TLS, too", set_auth_clear},
	{"--auth-optional", NULL, "take mail without AUTH", set_auth_optional},
	{"--scram-iterations", "N", "[4096]", set_iter},
	{"--scram-claim", "N", "say to clients that it is so many", set_claim},
	{"--no-starttls", NULL, "do not offer STARTTLS on the first port", set_no_starttls},
	{"--plain-ok", NULL, "take mail without TLS although it is offered", set_plain_ok},
	{"--ext", "LIST", "extensions, all by default; none", set_ext},
	{"--no-ext", "LIST", "all but these", set_no_ext},
	{"--size", "BYTES", "limit of a message [104857600]; 0: none", set_size},
	{"--max-rcpts", "N", "452 from the next one on", set_rcpts},
	{"--max-messages", "N", "421 to the next MAIL of a connection", set_messages},
	{"--name", "HOST", "[relay.test]", set_name},
	{"--rtt", "MS", "delay every byte by half of it each way; connecting costs one", set_rtt},
	{"--half-duplex", NULL, "read nothing while something of ours is not yet sent", set_half_duplex},
	{"--rcvbuf", "BYTES", "SO_RCVBUF of connections", set_rcvbuf},
	{"--sndbuf", "BYTES", "SO_SNDBUF of connections", set_sndbuf},
	{"--dump", "DIR", "keep messages: N.eml, and N.env (JSON)", set_dump},
	{"--log", "FILE", "every command and reply, with times", set_log},
	{"--stats", "FILE", "where counters go on SIGUSR1 and at the end, not stdout", set_stats},
	{"--dialogue", "FILE", "misbehave; see tests/relay/README.md", set_dialogue},
	{"--die-with-parent", NULL, "end when the starter ends", set_die},
	{"--quiet", NULL, "no counters on stdout", set_quiet},
};

static void help(void)
{
	puts("usage: relay [OPTION ...]\nA relay for tests. Loopback only. SIGUSR1: write counters; SIGTERM: the "
	     "same, and end.\n"
	     "RCPT TO:<reject...> gets 550, <tempfail...> 451.");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		printf("  %s%s%s\n        %s\n", table[i].name, table[i].arg ? " " : "",
		       table[i].arg ? table[i].arg : "", table[i].help);
	exit(EX_OK);
}

static void take(struct options *o, int argc, char **argv, int *i)
{
	for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
		if (strcmp(argv[*i], table[k].name))
			continue;
		if (table[k].arg && *i + 1 == argc)
			die("an argument is missing", argv[*i]);
		table[k].set(o, table[k].arg ? argv[++*i] : NULL);
		return;
	}
	die("no such option (--help lists them)", argv[*i]);
}

void options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){.bind = "127.0.0.1", .port587 = "0", .port465 = "0", .priority = "NORMAL",
			      .name = "relay.test", .size = 104857600, .scram_iterations = 4096,
			      .ext = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN |
				     EXT_ENHANCED | EXT_CHUNKING};
	mech_list(o, "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256");
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			help();
		take(o, argc, argv, &i);
	}
	for (size_t i = 0; i < o->certs; i++)
		if (!o->key[i])
			die("no --key for", o->cert[i]);
}
