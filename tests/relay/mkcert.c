/*
 * mkcert: throw-away certificates for tests and the demo.
 *
 *	mkcert DIR [NAME ...]	ca.pem, and server.pem with server.key for localhost, 127.0.0.1, ::1 and the NAMEs
 *	mkcert DIR -		what the lines on standard input ask for
 *
 * A line is a file's name and words NAME=VALUE; see the table `words`. It makes NAME.pem, NAME.key, and
 * NAME.chain.pem (the certificate and those above it, without the root). Two more kinds of line:
 *
 *	bundle NAME CERT ...		NAME.pem from these certificates, in this order
 *	crl NAME issuer=CA revoke=CERT	NAME.pem, a revocation list
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "base/buf.h"
#include "base/text/text.h"

enum { MAX_WORDS = 64, MAX_CERTS = 400, DAY = 86400 };

struct cert {
	char name[64];
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	const struct cert *issuer;	/* itself when self-signed */
};

static struct cert certs[MAX_CERTS];
static size_t ncerts;
static const char *dir;
static unsigned line_number;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "mkcert: line %u: ", line_number);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EX_DATAERR);
}

/* Every GnuTLS call that can fail goes through here. */
static int must(int rc, const char *what)
{
	if (rc < 0)
		die("%s: %s", what, gnutls_strerror(rc));
	return rc;
}

static const struct cert *find(const char *name)
{
	for (size_t i = 0; i < ncerts; i++)
		if (!strcmp(certs[i].name, name))
			return &certs[i];
	die("no certificate called %s above this line", name);
}

/* ---- what a line can ask for */
struct recipe {
	struct cert *cert;
	gnutls_x509_crt_t crt;
	const struct cert *issuer, *same_key;
	const char *key, *cn;
	gnutls_digest_algorithm_t hash;
	bool ca, purpose_set, names_set;
	int pathlen;
	unsigned usage;
	gnutls_x509_name_constraints_t constraints;
};

static void add_name(struct recipe *r, gnutls_x509_subject_alt_name_t type, const void *p, size_t n)
{
	must(gnutls_x509_crt_set_subject_alt_name(r->crt, type, p, (unsigned)n, GNUTLS_FSAN_APPEND), "name");
	r->names_set = true;
}

static void w_issuer(struct recipe *r, const char *v) { r->issuer = strcmp(v, "self") ? find(v) : r->cert; }
static void w_cn(struct recipe *r, const char *v) { r->cn = v; }
static void w_key(struct recipe *r, const char *v) { r->key = v; }
static void w_same_key(struct recipe *r, const char *v) { r->same_key = find(v); }
static void w_email(struct recipe *r, const char *v) { add_name(r, GNUTLS_SAN_RFC822NAME, v, strlen(v)); }
static void w_uri(struct recipe *r, const char *v) { add_name(r, GNUTLS_SAN_URI, v, strlen(v)); }
static void w_ca(struct recipe *r, const char *v) { r->ca = !strcmp(v, "yes"); }

/* GnuTLS takes a name as a string: SEQUENCE { [2] bytes } by hand. */
static void raw_name(struct recipe *r, const char *p, size_t n)
{
	unsigned char der[130] = {0x30, (unsigned char)(n + 2), 0x82, (unsigned char)n};

	if (n > 120)
		die("too long a name with a NUL");
	memcpy(der + 4, p, n);
	must(gnutls_x509_crt_set_extension_by_oid(r->crt, "2.5.29.17", der, n + 4, 0), "name");
}

/* %00 is a NUL: what a careless reader takes for the end of the name. */
static void w_dns(struct recipe *r, const char *v)
{
	char name[1024];
	size_t n = 0;

	for (; *v && n < sizeof name; v++)
		if (!strncmp(v, "%00", 3)) {
			name[n++] = '\0';
			v += 2;
		} else {
			name[n++] = *v;
		}
	if (memchr(name, '\0', n))
		raw_name(r, name, n);
	else
		add_name(r, GNUTLS_SAN_DNSNAME, name, n);
}

static void w_ip(struct recipe *r, const char *v)
{
	unsigned char a[16];

	if (inet_pton(AF_INET, v, a) == 1)
		add_name(r, GNUTLS_SAN_IPADDRESS, a, 4);
	else if (inet_pton(AF_INET6, v, a) == 1)
		add_name(r, GNUTLS_SAN_IPADDRESS, a, 16);
	else
		die("not an address: %s", v);
}

/* Days from now, with a sign. */
static time_t when(const char *v)
{
	uint64_t days;

	if ((*v != '+' && *v != '-') || !text_u64(span_of(v + 1), 40000, &days))
		die("not +DAYS or -DAYS: %s", v);
	return time(NULL) + (*v == '-' ? -1 : 1) * (time_t)days * DAY;
}

static void w_from(struct recipe *r, const char *v) { must(gnutls_x509_crt_set_activation_time(r->crt, when(v)), v); }
static void w_until(struct recipe *r, const char *v) { must(gnutls_x509_crt_set_expiration_time(r->crt, when(v)), v); }

static void w_hash(struct recipe *r, const char *v)
{
	r->hash = gnutls_digest_get_id(v);
	if (r->hash == GNUTLS_DIG_UNKNOWN)
		die("no such hash: %s", v);
}

static void w_pathlen(struct recipe *r, const char *v)
{
	uint64_t n;

	if (!text_u64(span_of(v), 100, &n))
		die("not a path length: %s", v);
	r->pathlen = (int)n;
}

/* purpose=server,client,email,code,any or none */
static void w_purpose(struct recipe *r, const char *v)
{
	static const struct {
		const char *word, *oid;
	} purposes[] = {{"server", GNUTLS_KP_TLS_WWW_SERVER},
			{"client", GNUTLS_KP_TLS_WWW_CLIENT},
			{"email", GNUTLS_KP_EMAIL_PROTECTION},
			{"code", GNUTLS_KP_CODE_SIGNING},
			{"any", GNUTLS_KP_ANY}};
	struct span rest = span_of(v), word;

	r->purpose_set = true;
	while (span_word(&rest, ",", &word))
		for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
			if (span_is(word, purposes[i].word))
				must(gnutls_x509_crt_set_key_purpose_oid(r->crt, purposes[i].oid, 0), v);
}

/* usage=sign,encipher,certsign,crlsign or none */
static void w_usage(struct recipe *r, const char *v)
{
	static const struct {
		const char *word;
		unsigned bit;
	} bits[] = {{"sign", GNUTLS_KEY_DIGITAL_SIGNATURE}, {"encipher", GNUTLS_KEY_KEY_ENCIPHERMENT},
		    {"certsign", GNUTLS_KEY_KEY_CERT_SIGN}, {"crlsign", GNUTLS_KEY_CRL_SIGN}};
	struct span rest = span_of(v), word;

	r->usage = 0;
	while (span_word(&rest, ",", &word))
		for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
			if (span_is(word, bits[i].word))
				r->usage |= bits[i].bit;
}

static gnutls_x509_name_constraints_t constraints(struct recipe *r)
{
	if (!r->constraints)
		must(gnutls_x509_name_constraints_init(&r->constraints), "constraints");
	return r->constraints;
}

static gnutls_datum_t datum(const char *v)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)v, (unsigned)strlen(v)};
}

static void w_permit(struct recipe *r, const char *v)
{
	gnutls_datum_t d = datum(v);

	must(gnutls_x509_name_constraints_add_permitted(constraints(r), GNUTLS_SAN_DNSNAME, &d), v);
}

static void w_exclude(struct recipe *r, const char *v)
{
	gnutls_datum_t d = datum(v);

	must(gnutls_x509_name_constraints_add_excluded(constraints(r), GNUTLS_SAN_DNSNAME, &d), v);
}

/* An extension that nobody knows. */
static void w_critical(struct recipe *r, const char *v)
{
	static const unsigned char null_value[] = {5, 0};

	must(gnutls_x509_crt_set_extension_by_oid(r->crt, v, null_value, sizeof null_value, 1), v);
}

static const struct {
	const char *word, *help;
	void (*set)(struct recipe *, const char *);
} words[] = {
	{"issuer", "who signs it: a name above, or self [self]", w_issuer},
	{"cn", "common name [the file's name]", w_cn},
	{"dns", "a DNS name, %00 for a NUL; repeatable", w_dns},
	{"ip", "an address; repeatable", w_ip},
	{"email", "a mail address", w_email},
	{"uri", "a URI", w_uri},
	{"from", "valid from +DAYS or -DAYS [-1]", w_from},
	{"until", "valid until [+30]", w_until},
	{"key", "ec256 ec384 ed25519 rsa1024 rsa2048 rsa3072 [ec256]", w_key},
	{"same-key", "the key of another", w_same_key},
	{"hash", "signed with [sha256]", w_hash},
	{"purpose", "server,client,email,code,any or none [server; none for a CA]", w_purpose},
	{"usage", "sign,encipher,certsign,crlsign or none", w_usage},
	{"ca", "yes: a CA", w_ca},
	{"pathlen", "of a CA", w_pathlen},
	{"permit", "name constraint of a CA, a domain", w_permit},
	{"exclude", "name constraint of a CA, a domain", w_exclude},
	{"critical", "OID of a critical extension that nobody knows", w_critical},
};

/* ---- files */
static FILE *create(const char *name, const char *suffix)
{
	char path[4200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
	f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void finish(FILE *f, const char *name)
{
	if (fclose(f))
		die("%s: %s", name, strerror(errno));
}

static void put_crt(FILE *f, gnutls_x509_crt_t crt)
{
	gnutls_datum_t pem;

	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), "export");
	fwrite(pem.data, 1, pem.size, f);
	gnutls_free(pem.data);
}

static void write_cert(const struct cert *c)
{
	FILE *f = create(c->name, ".pem");
	gnutls_datum_t pem;

	put_crt(f, c->crt);
	finish(f, c->name);
	f = create(c->name, ".key");
	fchmod(fileno(f), 0600);
	must(gnutls_x509_privkey_export2_pkcs8(c->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem), "key");
	fwrite(pem.data, 1, pem.size, f);
	gnutls_free(pem.data);
	finish(f, c->name);
	f = create(c->name, ".chain.pem");
	put_crt(f, c->crt);
	for (const struct cert *up = c->issuer; up != up->issuer; up = up->issuer)
		put_crt(f, up->crt);
	finish(f, c->name);
}

/* ---- making one */
static void make_key(struct cert *c, const struct recipe *r)
{
	static const struct {
		const char *word;
		gnutls_pk_algorithm_t pk;
		unsigned bits;
	} kinds[] = {{"ec256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		     {"ec384", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
		     {"ed25519", GNUTLS_PK_EDDSA_ED25519, 256}, {"rsa1024", GNUTLS_PK_RSA, 1024},
		     {"rsa2048", GNUTLS_PK_RSA, 2048}, {"rsa3072", GNUTLS_PK_RSA, 3072}};

	if (r->same_key) {
		must(gnutls_x509_privkey_init(&c->key), "key");
		must(gnutls_x509_privkey_cpy(c->key, r->same_key->key), "key");
		return;
	}
	must(gnutls_x509_privkey_init(&c->key), "key");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].word, r->key)) {
			must(gnutls_x509_privkey_generate(c->key, kinds[i].pk, kinds[i].bits, 0), "key");
			return;
		}
	die("no such key: %s", r->key);
}

static void key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	unsigned char id[64];
	size_t n = sizeof id;

	must(gnutls_x509_crt_get_key_id(crt, 0, id, &n), "key id");
	must(gnutls_x509_crt_set_subject_key_id(crt, id, n), "key id");
	n = sizeof id;
	must(gnutls_x509_crt_get_key_id(issuer, 0, id, &n), "key id");
	must(gnutls_x509_crt_set_authority_key_id(crt, id, n), "key id");
}

static void extensions(struct recipe *r)
{
	must(gnutls_x509_crt_set_basic_constraints(r->crt, r->ca, r->ca ? r->pathlen : -1), "constraints");
	if (r->usage == UINT32_MAX)
		r->usage = r->ca ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
				 : GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT;
	if (r->usage)
		must(gnutls_x509_crt_set_key_usage(r->crt, r->usage), "usage");
	if (!r->ca && !r->purpose_set)
		must(gnutls_x509_crt_set_key_purpose_oid(r->crt, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose");
	if (r->constraints)
		must(gnutls_x509_crt_set_name_constraints(r->crt, r->constraints, 1), "constraints");
}

static void sign(struct recipe *r)
{
	struct cert *c = r->cert;
	unsigned char serial[8];

	gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
	serial[0] &= 0x7f;
	must(gnutls_x509_crt_set_version(r->crt, 3), "version");
	must(gnutls_x509_crt_set_serial(r->crt, serial, sizeof serial), "serial");
	if (*r->cn)
		must(gnutls_x509_crt_set_dn_by_oid(r->crt, GNUTLS_OID_X520_COMMON_NAME, 0, r->cn,
						   (unsigned)strlen(r->cn)), "cn");
	make_key(c, r);
	must(gnutls_x509_crt_set_key(r->crt, c->key), "key");
	extensions(r);
	key_ids(r->crt, r->issuer == c ? r->crt : r->issuer->crt);
	must(gnutls_x509_crt_sign2(r->crt, r->issuer->crt, r->issuer->key, r->hash, 0), "sign");
}

static void make_cert(char **word, size_t n)
{
	struct cert *c = &certs[ncerts];
	struct recipe r = {.cert = c, .key = "ec256", .cn = word[0], .hash = GNUTLS_DIG_SHA256, .pathlen = -1,
			   .usage = UINT32_MAX, .issuer = c};

	if (ncerts == MAX_CERTS || strlen(word[0]) >= sizeof c->name)
		die("too many certificates, or too long a name");
	snprintf(c->name, sizeof c->name, "%s", word[0]);
	must(gnutls_x509_crt_init(&c->crt), "init");
	r.crt = c->crt;
	w_from(&r, "-1");
	w_until(&r, "+30");
	for (size_t i = 1; i < n; i++) {
		char *v = strchr(word[i], '=');
		size_t k = 0, all = sizeof words / sizeof *words;

		if (!v)
			die("not NAME=VALUE: %s", word[i]);
		*v++ = '\0';
		while (k < all && strcmp(words[k].word, word[i]))
			k++;
		if (k == all)
			die("no such word: %s", word[i]);
		words[k].set(&r, v);
	}
	sign(&r);
	c->issuer = r.issuer;
	ncerts++;
	write_cert(c);
	if (r.constraints)
		gnutls_x509_name_constraints_deinit(r.constraints);
}

static void make_bundle(char **word, size_t n)
{
	FILE *f = create(word[1], ".pem");

	for (size_t i = 2; i < n; i++)
		put_crt(f, find(word[i])->crt);
	finish(f, word[1]);
}

static void make_crl(char **word, size_t n)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t pem;
	const struct cert *issuer = NULL;
	unsigned char number[] = {1};
	time_t now = time(NULL);
	FILE *f;

	must(gnutls_x509_crl_init(&crl), "crl");
	must(gnutls_x509_crl_set_version(crl, 2), "crl");
	must(gnutls_x509_crl_set_this_update(crl, now - DAY), "crl");
	must(gnutls_x509_crl_set_next_update(crl, now + 30 * DAY), "crl");
	must(gnutls_x509_crl_set_number(crl, number, sizeof number), "crl");
	for (size_t i = 2; i < n; i++) {
		if (!strncmp(word[i], "issuer=", 7))
			issuer = find(word[i] + 7);
		else if (!strncmp(word[i], "revoke=", 7))
			must(gnutls_x509_crl_set_crt(crl, find(word[i] + 7)->crt, now - DAY), "crl");
		else
			die("no such word: %s", word[i]);
	}
	if (!issuer)
		die("a crl needs issuer=");
	must(gnutls_x509_crl_sign2(crl, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0), "crl");
	must(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem), "crl");
	f = create(word[1], ".pem");
	fwrite(pem.data, 1, pem.size, f);
	finish(f, word[1]);
	gnutls_free(pem.data);
	gnutls_x509_crl_deinit(crl);
}

/* ---- lines: words separated by blanks; "..." keeps blanks together */
static size_t split(char *line, char **word)
{
	size_t n = 0;

	while (n < MAX_WORDS) {
		char *to;
		bool quoted = false;

		line += strspn(line, " \t\n");
		if (!*line || *line == '#')
			break;
		word[n++] = to = line;
		for (; *line && (quoted || !strchr(" \t\n", *line)); line++)
			if (*line == '"')
				quoted = !quoted;
			else
				*to++ = *line;
		if (*line)
			line++;
		*to = '\0';
	}
	return n;
}

static void make_line(char *line)
{
	char *word[MAX_WORDS];
	size_t n = split(line, word);

	if (!n)
		return;
	if (!strcmp(word[0], "bundle") && n > 2)
		make_bundle(word, n);
	else if (!strcmp(word[0], "crl") && n > 2)
		make_crl(word, n);
	else
		make_cert(word, n);
}

static void make_default(char **names, int n)
{
	struct buf line;

	buf_init(&line, 65536);
	buf_adds(&line, "ca ca=yes cn=\"Throw-away test CA\"");
	make_line(line.data);
	buf_reset(&line);
	buf_adds(&line, "server issuer=ca dns=localhost ip=127.0.0.1 ip=::1");
	for (int i = 0; i < n; i++)
		buf_addf(&line, " dns=%s", names[i]);
	make_line(line.data);
	buf_free(&line);
}

static void help(void)
{
	puts("usage: mkcert DIR [NAME ...]\n       mkcert DIR - < LINES\n\nA line is FILE WORD=VALUE ...; words:");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		printf("  %-10s %s\n", words[i].word, words[i].help);
	puts("also: bundle FILE CERT ...; crl FILE issuer=CA revoke=CERT ...");
}

int main(int argc, char **argv)
{
	char line[8192];

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		help();
		return argc < 2 ? EX_USAGE : 0;
	}
	dir = argv[1];
	if (mkdir(dir, 0700) && errno != EEXIST)
		die("%s: %s", dir, strerror(errno));
	if (argc != 3 || strcmp(argv[2], "-")) {
		make_default(argv + 2, argc - 2);
		return 0;
	}
	while (fgets(line, sizeof line, stdin)) {
		line_number++;
		make_line(line);
	}
	return 0;
}
