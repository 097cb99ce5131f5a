/*
 * agentdrive: stands in for outpostd and drives one outpost-smtp over its frames, for tests and measurements.
 *
 *   agentdrive [OPTION ...] [FILE ...]
 *     -s KEY=VALUE    a setting of the session (struct delivery_session); -s host=... -s port=... at least
 *     -u USER -p FILE user, and a file whose first line is the password (default: no credential); -k T for a token
 *     -f SENDER       envelope sender (default sender@example.com)
 *     -r RCPT         recipient; repeatable (default rcpt@example.com)
 *     -n COUNT        each FILE (or a small made-up message) that many times
 *     -w AHEAD        messages given ahead of the verdicts (default 2)
 *     -8              body type 8BITMIME
 *     -i MS           pause before each message but the first, with nothing else under way; it is over for good
 *                     when the agent leaves
 *     -b BYTES        size of the made-up message
 *     -q              only totals
 *
 * Prints what the agent says, one line for each frame, and at the end totals; the exit status is 0 when every recipient
 * was sent.
 */
#include "config.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/proc.h"
#include "base/process/step.h"
#include "base/sock.h"
#include "base/text/text.h"
#include "delivery/delivery.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RCPTS = 20000 };

static struct {
	struct delivery_session session;
	const char *user, *passfile, *sender;
	char kind, body;
	const char *rcpt[RCPTS];
	size_t nrcpt, ahead, count, size;
	char **files;
	size_t nfiles;
	int pause_ms;
	bool quiet;
} o = {.sender = "sender@example.com", .kind = 'P', .body = '7', .ahead = 2, .count = 1, .size = 500};

static int fd;
static pid_t agent;
static struct buf out, in, message;
static uint64_t given, done, sent, deferred, failed, begun, lastbytes;
static int64_t first_us;
static bool over;

static void die(const char *what)
{
	fprintf(stderr, "agentdrive: %s\n", what);
	exit(2);
}

static void load_message(size_t i)
{
	struct error err;

	buf_reset(&message);
	if (o.nfiles) {
		if (io_read_file(o.files[i % o.nfiles], false, &message, NULL, &err) < 0)
			die(err.text);
		return;
	}
	buf_addf(&message, "From: <%s>\nTo: <%s>\nSubject: message %zu\nMessage-ID: <%zu@drive>\nDate: Sun, 22 Nov "
			   "2026 00:00:00 +0000\n\n",
		 o.sender, o.rcpt[0], i, i);
	while (message.len < o.size)
		buf_adds(&message, "The quick brown fox jumps over the lazy dog, and again, and again.\n");
}

static uint64_t lines_of(const struct buf *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static void put_seq(uint8_t type, uint64_t seq)
{
	size_t mark = frame_begin(&out, type);

	frame_u64(&out, seq);
	frame_finish(&out, mark);
}

static void put_body(uint64_t seq)
{
	for (size_t at = 0; at < message.len;) {
		size_t n = message.len - at < 32768 ? message.len - at : 32768, mark = frame_begin(&out, TO_AGENT_BODY);

		frame_u64(&out, seq);
		frame_str(&out, message.data + at, n);
		frame_finish(&out, mark);
		at += n;
	}
	put_seq(TO_AGENT_BODY_END, seq);
}

static void give(void)
{
	struct delivery_recipient *list = calloc(o.nrcpt, sizeof(*list));
	struct delivery_message m = {
		.seq = given + 1, .sender = o.sender, .body = o.body, .recipients = list, .nrecipients = o.nrcpt};
	char id[32];

	if (!list)
		die("memory");
	load_message(given);
	snprintf(id, sizeof(id), "Q%llu", (unsigned long long)m.seq);
	m.queue_id = id;
	m.size = message.len;
	m.lines = lines_of(&message);
	for (size_t i = 0; i < o.nrcpt; i++)
		list[i] = (struct delivery_recipient){(int64_t)(m.seq * RCPTS + i), o.rcpt[i], NULL, 0};
	delivery_put_message(&out, &m);
	if (message.len <= LIMIT_CHUNK)
		put_body(m.seq);
	free(list);
	given++;
}

static void give_secret(void)
{
	size_t mark;
	struct buf pass;
	struct error err;
	char *lf;

	if (!o.user) {
		mark = frame_begin(&out, TO_AGENT_NO_SECRET);
		frame_cstr(&out, reason_name(REASON_CREDENTIAL_MISSING));
		frame_cstr(&out, "no credential was given to agentdrive");
		frame_finish(&out, mark);
		return;
	}
	buf_init(&pass, LIMIT_SECRET);
	if (io_read_file(o.passfile, false, &pass, NULL, &err) < 0)
		die(err.text);
	lf = memchr(pass.data, '\n', pass.len);
	if (lf)
		buf_cut(&pass, (size_t)(lf - pass.data));
	mark = frame_begin(&out, TO_AGENT_SECRET);
	frame_cstr(&out, o.user);
	frame_str(&out, pass.data, pass.len);
	frame_u8(&out, (uint8_t)o.kind);
	frame_cstr(&out, "");
	frame_finish(&out, mark);
	buf_wipe(&pass);
}

/* ---- what the agent says */

static void on_verdict(struct frame *f)
{
	static const char *const fates[] = {"?", "sent", "deferred", "failed"};
	struct delivery_verdict v;

	if (delivery_get_verdict(f, &v) < 0)
		die("bad VERDICT");
	sent += v.fate == FATE_SENT;
	deferred += v.fate == FATE_DEFERRED;
	failed += v.fate == FATE_FAILED;
	if (!o.quiet)
		printf("verdict %llu %s %s %s (%s)\n", (unsigned long long)v.seq,
		       v.recipient ? o.rcpt[v.recipient % RCPTS] : "all", fates[v.fate], v.dsn, v.text);
}

static void on_down(struct frame *f)
{
	struct delivery_down d;

	if (delivery_get_down(f, &d) < 0)
		die("bad DOWN");
	printf("down %s %s (%s) code=%d retry=%u\n", reason_name(d.reason), d.dsn, d.text, reason_exit(d.reason),
	       d.retry_after);
	over = true;
}

static void on_ready(struct frame *f)
{
	struct delivery_ready r;

	if (delivery_get_ready(f, &r) < 0)
		die("bad READY");
	if (!o.quiet)
		printf("ready %s[%s]:%u tls=%d verified=%d mechanism=%s extensions=%s size=%llu\n", r.host, r.address,
		       r.port, r.tls, r.verified, r.mechanism, r.extensions, (unsigned long long)r.size_limit);
}

static void on_known(struct frame *f)
{
	struct delivery_known k;
	char words[KNOWN_TEXT];

	if (delivery_get_known(f, &k) < 0)
		die("bad KNOWN");
	delivery_write_known(&k, words);
	printf("known %s\n", words);
}

static void on_step(struct frame *f)
{
	struct delivery_step s;

	if (delivery_get_step(f, &s) < 0)
		die("bad STEP");
	printf("step %s %s (%s)\n", s.name, s.reason ? "FAILED" : "ok", s.text);
}

static void on_done(struct frame *f)
{
	struct delivery_done d;

	if (delivery_get_done(f, &d) < 0)
		die("bad DONE");
	done++;
	if (!o.quiet)
		printf("done %llu\n", (unsigned long long)d.seq);
}

static void on_get(struct frame *f)
{
	uint64_t seq = frame_get_u64(f);

	load_message(seq - 1);
	put_body(seq);
}

static void on_log(struct frame *f)
{
	struct span line;

	frame_get_u8(f);
	line = frame_get_str(f);
	if (!o.quiet)
		printf("log %.*s\n", (int)line.n, line.p);
}

static void on_frame(struct frame *f)
{
	switch (f->type) {
	case FROM_AGENT_LOG:
		on_log(f);
		break;
	case FROM_AGENT_NEED_SECRET:
		give_secret();
		break;
	case FROM_AGENT_READY:
		on_ready(f);
		break;
	case FROM_AGENT_GET:
		on_get(f);
		break;
	case FROM_AGENT_BEGUN:
		begun++;
		break;
	case FROM_AGENT_LASTBYTE:
		lastbytes++;
		break;
	case FROM_AGENT_VERDICT:
		on_verdict(f);
		break;
	case FROM_AGENT_DONE:
		on_done(f);
		break;
	case FROM_AGENT_DOWN:
		on_down(f);
		break;
	case FROM_AGENT_BYE:
		printf("bye\n");
		over = true;
		break;
	case FROM_AGENT_STEP:
		on_step(f);
		break;
	case FROM_AGENT_KNOWN:
		on_known(f);
		break;
	case FROM_AGENT_ALIVE:
		break;
	default:
		die("unknown frame");
	}
}

/* Whether the agent says something before the pause is over. */
static bool interrupted(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, o.pause_ms) > 0;
}

static void feed(void)
{
	size_t total = o.count * (o.nfiles ? o.nfiles : 1);

	while (!o.session.check_only && given < total && given - done < o.ahead) {
		if (o.pause_ms && given && (given != done || interrupted()))
			break;
		give();
	}
	if (done == total || o.session.check_only) {
		static bool said;

		if (!said)
			frame_finish(&out, frame_begin(&out, TO_AGENT_QUIT));
		said = true;
	}
}

static void exchange(void)
{
	struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (out.len ? POLLOUT : 0))};
	struct span rest;
	struct frame f;
	size_t used;
	ssize_t n;

	if (poll(&p, 1, 120000) <= 0)
		die("the agent says nothing for two minutes");
	if (out.len && (n = send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		buf_drop(&out, (size_t)n);
	if (!(p.revents & (POLLIN | POLLHUP)))
		return;
	n = recv(fd, buf_room(&in, 65536), 65536, MSG_DONTWAIT);
	if (n <= 0) {
		over = over || n == 0 || errno != EAGAIN;
		return;
	}
	in.len += (size_t)n;
	rest = (struct span){in.data, in.len};
	while (frame_parse(rest, &f, &used) == 1) {
		on_frame(&f);
		rest.p += used;
		rest.n -= used;
	}
	buf_drop(&in, in.len - rest.n);
}

/* ---- options */

/* Settings go through the frame's own grammar: one pair, decoded, would forget the others; so all are collected
 * first. */
static struct buf pairs;
static uint32_t npairs;

/* By the name that it has in main.cf. */
static const char *level_number(const char *name)
{
	static const char *const names[] = {"secure", "verify", "fingerprint", "encrypt", "may", "none"};
	static char digit[2];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			digit[0] = (char)('0' + i);
	return digit;
}

static void setting(const char *text)
{
	const char *eq = strchr(text, '=');

	if (!eq)
		die("-s wants KEY=VALUE");
	frame_str(&pairs, text, (size_t)(eq - text));
	frame_cstr(&pairs, strncmp(text, "tls_level=", 10) == 0 ? level_number(eq + 1) : eq + 1);
	npairs++;
}

/* The times that -s left out, as main.cf has them by default. */
static void complete(struct delivery_session *s)
{
	struct {
		int *value, seconds;
	} times[] = {
		{&s->t_connect, 30}, {&s->t_helo, 300}, {&s->t_starttls, 300}, {&s->t_mail, 300}, {&s->t_rcpt, 300},
		{&s->t_data_init, 120}, {&s->t_data_xfer, 180}, {&s->t_data_done, 600}, {&s->t_rset, 20},
		{&s->t_secret, 120},
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (!*times[i].value)
			*times[i].value = times[i].seconds;
}

static void make_session(void)
{
	struct buf b;
	struct frame f;
	struct error err;
	size_t used, mark;

	buf_init(&b, 1 << 20);
	mark = frame_begin(&b, TO_AGENT_SESSION);
	frame_u32(&b, npairs);
	buf_add(&b, buf_str(&pairs), pairs.len);
	frame_finish(&b, mark);
	if (frame_parse((struct span){b.data, b.len}, &f, &used) != 1 || delivery_get_session(&f, &o.session, &err) < 0)
		die(err.text);
	complete(&o.session);
	delivery_put_session(&out, &o.session);
	buf_free(&b);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:u:p:k:f:r:n:w:8i:b:q")) != -1) {
		switch (c) {
		case 's': setting(optarg); break;
		case 'u': o.user = optarg; break;
		case 'p': o.passfile = optarg; break;
		case 'k': o.kind = optarg[0]; break;
		case 'f': o.sender = optarg; break;
		case 'r': o.rcpt[o.nrcpt++ % RCPTS] = optarg; break;
		case 'n': o.count = strtoul(optarg, NULL, 10); break;
		case 'w': o.ahead = strtoul(optarg, NULL, 10); break;
		case '8': o.body = '8'; break;
		case 'i': o.pause_ms = (int)strtol(optarg, NULL, 10); break;
		case 'b': o.size = strtoul(optarg, NULL, 10); break;
		case 'q': o.quiet = true; break;
		default: die("see the top of agentdrive.c");
		}
	}
	o.files = argv + optind;
	o.nfiles = (size_t)(argc - optind);
	if (!o.nrcpt)
		o.rcpt[o.nrcpt++] = "rcpt@example.com";
}

static void start_agent(void)
{
	char path[4096], *const av[] = {(char *)(uintptr_t)"outpost-smtp", NULL};
	int pair[2];
	struct proc_fd fds[2] = {{.to = DELIVERY_FD}, {.from = 2, .to = 2}};
	struct proc_spec spec = {.argv = av, .env = step_env(), .fds = fds, .nfds = 2, .die_with_parent = true};
	struct error err;

	spec.path = io_program_path("outpost-smtp", HELPERDIR, path, sizeof(path));
	if (sock_pair(pair) < 0)
		die("socketpair");
	fds[0].from = pair[1];
	agent = proc_start(&spec, &err);
	if (agent < 0)
		die(err.text);
	close(pair[1]);
	fd = pair[0];
}

static void totals(void)
{
	struct rusage ru;
	int64_t us = clock_mono_ms() * 1000 - first_us;
	int status = 0;

	waitpid(agent, &status, 0);
	getrusage(RUSAGE_CHILDREN, &ru);
	printf("total given=%llu done=%llu sent=%llu deferred=%llu failed=%llu begun=%llu lastbytes=%llu ms=%lld "
	       "agent_cpu_us=%lld agent_maxrss_kb=%ld status=%d\n",
	       (unsigned long long)given, (unsigned long long)done, (unsigned long long)sent,
	       (unsigned long long)deferred, (unsigned long long)failed, (unsigned long long)begun,
	       (unsigned long long)lastbytes, (long long)us / 1000,
	       (long long)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec +
		       ru.ru_stime.tv_usec,
	       ru.ru_maxrss, status);
}

int main(int argc, char **argv)
{
	size_t total;

	buf_init(&out, 256u << 20);
	buf_init(&in, 1 << 20);
	buf_init(&message, 128u << 20);
	buf_init(&pairs, 1 << 20);
	setvbuf(stdout, NULL, _IOLBF, 0);
	options(argc, argv);
	make_session();
	first_us = clock_mono_ms() * 1000;
	start_agent();
	while (!over) {
		feed();
		exchange();
	}
	close(fd);
	totals();
	total = o.count * (o.nfiles ? o.nfiles : 1) * o.nrcpt;
	return o.session.check_only || sent == total ? 0 : 1;
}
