/*
 * blast.c: the yardstick of delivery: a client without queue, log or error handling that sends the same message again
 * and again over one connection. `blast PORT CA.pem USER SECRET COUNT WINDOW BYTES`: implicit TLS, AUTH PLAIN. WINDOW 1
 * is one round trip for each message: the body and the next one's commands in one write, DATA. More: so many whole
 * transactions unanswered, BDAT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static gnutls_session_t tls;
static char in[1 << 16];
static size_t have, used;

static void stop(const char *why)
{
	fprintf(stderr, "blast: %s\n", why);
	exit(1);
}

static int byte(void)
{
	if (used == have) {
		ssize_t n = gnutls_record_recv(tls, in, sizeof(in));

		while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			n = gnutls_record_recv(tls, in, sizeof(in));
		if (n <= 0)
			stop("the relay is gone");
		have = (size_t)n;
		used = 0;
	}
	return in[used++];
}

/* One reply of any number of lines must have this code. */
static void expect(const char *code)
{
	char head[4];

	do {
		for (int i = 0; i < 4; i++)
			head[i] = (char)byte();
		while (byte() != '\n')
			;
	} while (head[3] == '-');
	if (memcmp(head, code, 3) != 0)
		stop("a reply that was not expected");
}

static void say(const char *p, size_t n)
{
	while (n) {
		ssize_t done = gnutls_record_send(tls, p, n);

		if (done == GNUTLS_E_AGAIN || done == GNUTLS_E_INTERRUPTED)
			continue;
		if (done < 0)
			stop(gnutls_strerror((int)done));
		p += done;
		n -= (size_t)done;
	}
}

static void say_line(const char *line)
{
	say(line, strlen(line));
}

static void dial(int port, const char *ca)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, rc;
	gnutls_certificate_credentials_t trust;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		stop("no connection");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	gnutls_certificate_allocate_credentials(&trust);
	if (gnutls_certificate_set_x509_trust_file(trust, ca, GNUTLS_X509_FMT_PEM) < 1)
		stop("no CA");
	gnutls_init(&tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, trust);
	gnutls_session_set_verify_cert(tls, "localhost", 0);
	gnutls_transport_set_int(tls, fd);
	do
		rc = gnutls_handshake(tls);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc < 0)
		stop(gnutls_strerror(rc));
}

static void log_in(const char *user, const char *secret)
{
	char plain[1024], line[2048];
	int n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, secret);
	gnutls_datum_t raw = {(unsigned char *)plain, (unsigned)n}, coded;

	expect("220");
	say_line("EHLO blast.example.com\r\n");
	expect("250");
	if (gnutls_base64_encode2(&raw, &coded) < 0)
		stop("out of memory");
	snprintf(line, sizeof(line), "AUTH PLAIN %s\r\n", (char *)coded.data);
	gnutls_free(coded.data);
	say_line(line);
	expect("235");
}

static char *letter(size_t bytes)
{
	static const char head[] = "From: s@example.com\r\nTo: r@example.net\r\nSubject: blast\r\n\r\n";
	char *p = malloc(bytes + 128);
	size_t n = sizeof(head) - 1;

	if (!p)
		stop("out of memory");
	memcpy(p, head, n);
	while (n < bytes) {
		memset(p + n, 'x', 70);
		memcpy(p + n + 70, "\r\n", 3);
		n += 72;
	}
	return p;
}

#define ENVELOPE "MAIL FROM:<s@example.com>\r\nRCPT TO:<r@example.net>\r\n"

static void one_round_trip_each(const char *body, long count)
{
	char *last, *more;

	if (asprintf(&last, "%s.\r\n", body) < 0 || asprintf(&more, "%sRSET\r\n" ENVELOPE "DATA\r\n", last) < 0)
		stop("out of memory");
	say_line(ENVELOPE "DATA\r\n");
	for (long i = 0; i < count; i++) {
		if (i)
			expect("250");	/* RSET */
		expect("250");
		expect("250");
		expect("354");
		say_line(i + 1 < count ? more : last);
		expect("250");
	}
}

static void in_flight(const char *body, long count, long window)
{
	char *whole;

	if (asprintf(&whole, "RSET\r\n" ENVELOPE "BDAT %zu LAST\r\n%s", strlen(body), body) < 0)
		stop("out of memory");
	for (long sent = 0, done = 0; done < count; done++) {
		for (; sent < count && sent - done < window; sent++)
			say_line(whole);
		for (int i = 0; i < 4; i++)
			expect("250");
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double begun;
	long count;

	if (argc != 8)
		return 64;
	count = atol(argv[5]);
	dial(atoi(argv[1]), argv[2]);
	log_in(argv[3], argv[4]);
	begun = now();
	if (atol(argv[6]) < 2)
		one_round_trip_each(letter((size_t)atol(argv[7])), count);
	else
		in_flight(letter((size_t)atol(argv[7])), count, atol(argv[6]));
	printf("%.6f\n", now() - begun);
	say_line("QUIT\r\n");
	return 0;
}
